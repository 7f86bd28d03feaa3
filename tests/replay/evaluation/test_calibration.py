from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.decision_parameters import DecisionParameters
from models.factory import factory_model
from models.scorer import score_recording
from replay.evaluation.calibration import calibrate_envelope, calibrate_threshold, envelope_steps
from replay.evaluation.cost import CostWeights, cost_per_minute
from replay.evaluation.cost_choice import Budget
from replay.evaluation.evaluate import evaluate
from replay.evaluation.sweep import FINE_STEPS, sweep, thresholds
from replay.trace import Trace
from stinger.shots import MIN_LEAD_MS
from tests.helpers.retraining import session_of
from tests.helpers.synthetic import synthetic_samples

WEIGHTS = CostWeights()
START = DecisionParameters()


def late_bursts(seed: int, *, width: int = 25, level: float = 0.9) -> Trace:
    """A trace whose output is high only in the last ``width`` samples before each shot, and for two samples elsewhere."""
    session = session_of(synthetic_samples(9000, 20, seed=seed), f"s{seed}")
    rng = np.random.default_rng(seed)
    probability = np.full(len(session.recording), 0.02, dtype=np.float32)
    for start in rng.integers(0, probability.size, 60):
        probability[start : start + 2] = level
    for shot in session.shots.index[session.shots.accepted]:
        probability[max(0, shot - width) : shot] = level
    return Trace(session, probability)


def test_threshold_is_the_one_of_the_sweep_with_the_least_cost_within_the_limits() -> None:
    traces = [late_bursts(1), late_bursts(2)]
    budget = Budget(max_false_per_minute=3, max_duty=0.5)
    found = calibrate_threshold(traces, START, WEIGHTS, budget, min_lead_ms=MIN_LEAD_MS)
    rows = sweep(traces, START, thresholds(FINE_STEPS, 0.5), min_lead_ms=MIN_LEAD_MS)
    within = [row for row in rows if row.false.value <= 3 and row.duty <= 0.5 and row.accepted.count]
    assert found is not None
    best = min(cost_per_minute(row, WEIGHTS) for row in within)
    assert np.isclose(cost_per_minute(evaluate(traces, found.parameters), WEIGHTS), best)


def test_wheels_that_never_turn_satisfy_no_budget() -> None:
    session = session_of(synthetic_samples(6000, 15))
    silent = [Trace(session, np.zeros(len(session.recording), dtype=np.float32))]
    assert calibrate_threshold(silent, START, WEIGHTS, Budget(100, 1), min_lead_ms=MIN_LEAD_MS) is None


def test_no_threshold_within_the_limits_is_none() -> None:
    traces = [late_bursts(1)]
    nothing = Budget(max_false_per_minute=0, max_duty=0)
    assert calibrate_threshold(traces, START, WEIGHTS, nothing, min_lead_ms=MIN_LEAD_MS) is None
    assert calibrate_envelope(traces, START, WEIGHTS, nothing, min_lead_ms=MIN_LEAD_MS) is None


def test_slow_envelope_that_misses_most_shots_is_replaced_by_a_faster_one() -> None:
    """With an attack of 0.02 the envelope needs half a second, and the output is high for a quarter of one."""
    traces = [late_bursts(seed) for seed in range(3)]
    slow = replace(START, attack=0.02)
    budget = Budget(max_false_per_minute=100, max_duty=1)
    steps: list[int] = []
    found = calibrate_envelope(traces, slow, WEIGHTS, budget, min_lead_ms=MIN_LEAD_MS, progress=steps.append)
    alone = calibrate_threshold(traces, slow, WEIGHTS, budget, min_lead_ms=MIN_LEAD_MS)
    assert found is not None
    assert alone is not None
    assert found.envelope_changed
    assert found.parameters.attack > 0.05
    assert found.held_out.cost_per_minute < alone.held_out.cost_per_minute
    assert sum(steps) == envelope_steps()


@pytest.mark.parametrize("draws", [2, pytest.param(6, marks=pytest.mark.slow)])
def test_output_without_skill_does_not_change_attack_and_release(draws: int) -> None:
    """Of 25 and more pairs, one always looks best by chance on the data that it was chosen on."""
    changed = 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        traces = []
        for part in range(3):
            session = session_of(synthetic_samples(6000, 15, seed=10 * seed + part), f"s{part}")
            noise = np.convolve(rng.normal(size=len(session.recording)), np.ones(20) / 20, mode="same")
            traces.append(Trace(session, (1 / (1 + np.exp(-6 * noise))).astype(np.float32)))
        budget = Budget(max_false_per_minute=1000, max_duty=1)
        found = calibrate_envelope(traces, START, WEIGHTS, budget, min_lead_ms=MIN_LEAD_MS)
        assert found is not None
        changed += (found.parameters.attack, found.parameters.release) != (START.attack, START.release)
    assert changed <= 1


def test_scores_of_a_model_are_calibrated_in_the_same_way_at_any_start_threshold() -> None:
    session = session_of(synthetic_samples(9000, 20, seed=3))
    traces = [Trace(session, score_recording(factory_model(), session.recording))]
    budget = Budget(max_false_per_minute=100, max_duty=1)
    one, other = (
        calibrate_threshold(traces, START.at(on), WEIGHTS, budget, min_lead_ms=MIN_LEAD_MS) for on in (0.3, 0.8)
    )
    assert one is not None
    assert one == other
