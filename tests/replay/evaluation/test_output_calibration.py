from __future__ import annotations

import numpy as np
import pytest

from models.decision_parameters import DecisionParameters
from models.output_scaling import OutputScaling
from replay.evaluation.calibration import calibrate_threshold
from replay.evaluation.cost import CostWeights, cost_per_minute
from replay.evaluation.cost_choice import Budget
from replay.evaluation.evaluate import evaluate
from replay.evaluation.output_calibration import calibrate_output, scaled_traces
from replay.trace import Trace
from stinger.shots import MIN_LEAD_MS
from tests.helpers.retraining import session_of
from tests.helpers.synthetic import synthetic_samples

WEIGHTS = CostWeights()
START = DecisionParameters()


def rising_before_shots(seed: int, *, highest: float) -> Trace:
    """A trace whose output rises to ``highest`` in the 300 ms before each shot, and is 0.001 elsewhere."""
    session = session_of(synthetic_samples(9000, 20, seed=seed), f"s{seed}")
    probability = np.full(len(session.recording), 0.001, dtype=np.float32)
    for shot in session.shots.index[session.shots.accepted]:
        probability[max(0, shot - 30) : shot] = highest
    return Trace(session, probability)


def test_an_output_that_is_never_high_enough_for_the_menu_is_scaled() -> None:
    traces = [rising_before_shots(seed, highest=0.03) for seed in (1, 2)]
    alone = calibrate_threshold(traces, START, WEIGHTS, None, min_lead_ms=MIN_LEAD_MS)
    found = calibrate_output(traces, START, WEIGHTS, min_lead_ms=MIN_LEAD_MS)
    assert alone is not None
    assert found is not None
    assert alone.held_out.in_time < 0.01
    assert found.calibration.held_out.in_time > 0.95
    assert found.scaling != OutputScaling()
    costs = [
        cost_per_minute(evaluate(used, parameters), WEIGHTS)
        for used, parameters in ((traces, alone.parameters), (found.traces, found.calibration.parameters))
    ]
    assert costs[1] < costs[0]


def test_traces_are_those_that_the_choice_was_made_on() -> None:
    traces = [rising_before_shots(1, highest=0.03)]
    found = calibrate_output(traces, START, WEIGHTS, min_lead_ms=MIN_LEAD_MS)
    assert found is not None
    for trace, scaled in zip(scaled_traces(traces, found.scaling), found.traces, strict=True):
        np.testing.assert_array_equal(trace.probability, scaled.probability)


def test_an_output_is_left_as_it_is_where_scaling_gains_nothing() -> None:
    traces = [rising_before_shots(seed, highest=0.9) for seed in (1, 2)]
    same = (OutputScaling(1.0, 1e-9),)
    found = calibrate_output(traces, START, WEIGHTS, min_lead_ms=MIN_LEAD_MS, scalings=same)
    alone = calibrate_threshold(traces, START, WEIGHTS, None, min_lead_ms=MIN_LEAD_MS)
    assert alone is not None
    assert found is not None
    assert found.scaling == OutputScaling()
    assert found.calibration == alone
    assert found.calibration.held_out.cost_per_minute == pytest.approx(alone.held_out.cost_per_minute)


def test_a_limit_holds_for_the_choice_and_nothing_is_chosen_if_none_keeps_to_it() -> None:
    traces = [rising_before_shots(seed, highest=0.03) for seed in (1, 2)]
    duties = []
    for max_duty in (0.5, 0.2):
        found = calibrate_output(traces, START, WEIGHTS, Budget(4, max_duty), min_lead_ms=MIN_LEAD_MS)
        assert found is not None
        duties.append(evaluate(found.traces, found.calibration.parameters).duty)
        assert duties[-1] <= max_duty
    assert calibrate_output(traces, START, WEIGHTS, Budget(0, 0), min_lead_ms=MIN_LEAD_MS) is None
