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
from tests.replay.evaluation.test_calibration import late_bursts

WEIGHTS = CostWeights()
START = DecisionParameters()
NO_LIMITS = ()


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
    found = calibrate_output(traces, START, WEIGHTS, NO_LIMITS, min_lead_ms=MIN_LEAD_MS)
    assert alone is not None
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
    found = calibrate_output(traces, START, WEIGHTS, NO_LIMITS, min_lead_ms=MIN_LEAD_MS)
    for trace, scaled in zip(scaled_traces(traces, found.scaling), found.traces, strict=True):
        np.testing.assert_array_equal(trace.probability, scaled.probability)


def test_an_output_is_left_as_it_is_where_scaling_gains_nothing() -> None:
    traces = [rising_before_shots(seed, highest=0.9) for seed in (1, 2)]
    same = (OutputScaling(1.0, 1e-9),)
    found = calibrate_output(traces, START, WEIGHTS, NO_LIMITS, min_lead_ms=MIN_LEAD_MS, scalings=same)
    alone = calibrate_threshold(traces, START, WEIGHTS, None, min_lead_ms=MIN_LEAD_MS)
    assert alone is not None
    assert found.scaling == OutputScaling()
    assert found.calibration == alone
    assert found.calibration.held_out.cost_per_minute == pytest.approx(alone.held_out.cost_per_minute)


def test_the_first_limits_that_hardly_cost_anything_are_kept() -> None:
    traces = [late_bursts(1), late_bursts(2)]
    free = calibrate_output(traces, START, WEIGHTS, NO_LIMITS, min_lead_ms=MIN_LEAD_MS)
    false_per_minute = evaluate(free.traces, free.calibration.parameters).false.value
    impossible, possible = Budget(0, 0.01), Budget(false_per_minute + 1, 1)
    found = calibrate_output(traces, START, WEIGHTS, (impossible, possible), min_lead_ms=MIN_LEAD_MS)
    assert evaluate(found.traces, found.calibration.parameters).false.value <= false_per_minute + 1
    assert found.calibration.held_out.in_time > 0.5


@pytest.mark.parametrize("impossible", [Budget(0, 0), Budget(4, 0.01)])
def test_limits_that_would_cost_most_shots_are_ignored(impossible: Budget) -> None:
    traces = [rising_before_shots(seed, highest=0.03) for seed in (1, 2)]
    found = calibrate_output(traces, START, WEIGHTS, [impossible], min_lead_ms=MIN_LEAD_MS)
    assert found.calibration == calibrate_output(traces, START, WEIGHTS, NO_LIMITS, min_lead_ms=MIN_LEAD_MS).calibration
