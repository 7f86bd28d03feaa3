from __future__ import annotations

import numpy as np
from hypothesis import given

from models.decision import Decision
from models.decision_parameters import DecisionParameters
from models.levels import follow
from tests.models.test_decision import as_arrays, parameter_sets, streams


@given(streams(), parameter_sets)
def test_spin_ups_are_those_of_the_decision(samples: list[tuple[int, float]], parameters: DecisionParameters) -> None:
    times, probability = as_arrays(samples)
    end_ms = int(times[-1]) + 10 if samples else 0
    decided = Decision(parameters).push(times, probability)
    found = follow(times, probability, parameters, end_ms=end_ms).spin_ups(parameters.on, parameters.off)
    expected = [switch.time_ms for switch in decided.switches]
    if len(expected) % 2:
        expected.append(max(end_ms, expected[-1]))
    assert found.times_ms.ravel().tolist() == expected
    wheels = np.zeros(len(samples), dtype=bool)
    for start, stop in found.samples.tolist():
        wheels[start:stop] = True
    assert wheels.tolist() == decided.wheels.tolist()


@given(streams(), parameter_sets, parameter_sets)
def test_one_envelope_serves_every_threshold(
    samples: list[tuple[int, float]], parameters: DecisionParameters, other: DecisionParameters
) -> None:
    times, probability = as_arrays(samples)
    levels = follow(times, probability, other.at(parameters.on), end_ms=0)
    again = follow(times, probability, other, end_ms=0)
    assert levels.spin_ups(0.3, 0.1).times_ms.tolist() == again.spin_ups(0.3, 0.1).times_ms.tolist()
