from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from models.decision_parameters import DecisionParameters
from replay.evaluation.evaluate import average_precision, evaluate
from replay.evaluation.intervals import median_interval
from replay.evaluation.uncertainty import Uncertainty, uncertainty_of
from replay.trace import Trace
from tests.helpers.retraining import session_of
from tests.helpers.synthetic import synthetic_samples

PARAMETERS = DecisionParameters()


def noisy_trace(seed: int, skill: float, *, samples: int = 20_000, shots: int = 50) -> Trace:
    session = session_of(synthetic_samples(samples, shots, seed=seed), f"s{seed}")
    rng = np.random.default_rng(seed)
    level = np.convolve(rng.normal(size=len(session.recording)), np.ones(30) / 30, mode="same") * 8 - 1
    for shot in session.shots.index:
        level[max(0, shot - 30) : shot] += skill
    return Trace(session, (1 / (1 + np.exp(-level))).astype(np.float32))


def of(*traces: Trace) -> Uncertainty:
    return uncertainty_of(traces, PARAMETERS, average_precision(traces), min_lead_ms=100)


@pytest.mark.parametrize("skill", [0.0, 1.0, 4.0])
def test_intervals_contain_the_figures_and_shrink_with_more_data(skill: float) -> None:
    widths = []
    for count in (1, 9):
        traces = [noisy_trace(seed, skill) for seed in range(count)]
        found, precision = of(*traces), average_precision(traces)
        assert precision is not None
        assert found.average_precision is not None
        assert found.average_precision.value == precision.value
        assert found.average_precision.low < precision.value < found.average_precision.high
        assert found.duty.low < found.duty.value < found.duty.high
        assert found.duty.value == pytest.approx(evaluate(traces, PARAMETERS).duty, abs=1e-3)
        widths.append((found.average_precision.high - found.average_precision.low, found.duty.high - found.duty.low))
    assert widths[1][0] < widths[0][0]
    assert widths[1][1] < widths[0][1]


@pytest.mark.parametrize(("pairs", "least_hits"), [(6, 4), pytest.param(20, 16, marks=pytest.mark.slow)])
def test_intervals_from_parts_of_a_long_recording_mostly_contain_its_figure(pairs: int, least_hits: int) -> None:
    whole = [noisy_trace(seed, 1.0) for seed in range(2 * pairs)]
    truth = average_precision(whole)
    assert truth is not None
    hits = 0
    for seed in range(pairs):
        interval = of(whole[2 * seed], whole[2 * seed + 1]).average_precision
        assert interval is not None
        hits += interval.low <= truth.value <= interval.high
    assert hits >= least_hits


def test_output_without_skill_has_as_many_false_spin_ups_as_by_chance_and_one_with_skill_fewer() -> None:
    blind, skilled = ([noisy_trace(seed, skill) for seed in range(5)] for skill in (0.0, 4.0))
    assert of(*blind).false_by_chance == pytest.approx(evaluate(blind, PARAMETERS).false.value, rel=0.1)
    assert evaluate(skilled, PARAMETERS).false.value < 0.8 * of(*skilled).false_by_chance


def test_short_recording_has_no_intervals() -> None:
    found = of(noisy_trace(1, 1.0, samples=3000, shots=5))
    assert np.isinf(found.duty.low)
    assert found.average_precision is not None
    assert np.isinf(found.average_precision.high)


@pytest.mark.parametrize("count", [1, 5, 6, 17, 100])
def test_interval_of_the_median_leaves_out_at_most_a_fortieth_on_each_side(count: int) -> None:
    values = np.arange(1.0, count + 1)
    low, high = median_interval(values)
    assert low + high == count + 1
    left_out = int(low) - 1
    assert stats.binom.cdf(left_out, count, 0.5) <= 0.025 or count < 6
    assert stats.binom.cdf(left_out + 1, count, 0.5) > 0.025
