from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decision_parameters import DecisionParameters
from replay.evaluation.dynamic_mode import evaluate_dynamic, wheel_speed
from replay.trace import Trace
from tests.helpers.retraining import session_of
from tests.helpers.samples import samples_at

F32 = np.float32
PARAMETERS = DecisionParameters(on=0.6)


def trace_of(probability: npt.ArrayLike, time_ms: npt.ArrayLike | None = None, *, shots: tuple[int, ...] = ()) -> Trace:
    values = np.asarray(probability, dtype=np.float32)
    times = np.arange(values.size) * 10 if time_ms is None else np.asarray(time_ms)
    trigger = np.zeros(values.size)
    trigger[list(shots)] = 1
    return Trace(session_of(samples_at(times, trigger=trigger)), values)


def as_on_the_blaster(probability: list[float], on_percent: int, idle_rpm: int) -> list[int]:
    """The rule step by step, in whole revolutions a minute as the blaster keeps them."""
    on = F32(on_percent) / F32(100)
    off = max(F32(0), min(on / F32(2), on - F32(0.01)))
    rpm = 0
    speeds = []
    for value in probability:
        p = F32(value)
        want = 0
        if p >= off:
            low = min(1000, idle_rpm)
            part = min(max((p - off) / (on - off), F32(0)), F32(1))
            want = low + int(F32(idle_rpm - low) * part)
        a = F32(0.40) if want > rpm else F32(0.05)
        rpm = int((F32(1) - a) * F32(rpm) + a * F32(want))
        speeds.append(rpm)
    return speeds


@given(
    st.lists(st.floats(0, 1, width=32), min_size=2, max_size=200),
    st.integers(5, 95),
    st.sampled_from([1000, 2500, 5000, 20_000]),
)
def test_speed_is_that_of_the_rule_step_by_step(probability: list[float], on_percent: int, idle_rpm: int) -> None:
    parameters = DecisionParameters(on=on_percent / 100)
    speeds = wheel_speed(trace_of(probability), parameters, idle_rpm=idle_rpm) * idle_rpm
    # The blaster drops fractions of a revolution at every step, up to 1 / 0.05 of them in the long run.
    np.testing.assert_allclose(speeds, as_on_the_blaster(probability, on_percent, idle_rpm), rtol=1e-4, atol=22)


def test_wheels_reach_full_speed_within_100_ms_and_slow_down_within_a_second() -> None:
    speed = wheel_speed(trace_of(np.repeat([0.0, 1.0, 0.0], 100)), PARAMETERS)
    assert not speed[:100].any()
    assert speed[109] > 0.99
    assert 0.5 < speed[210] < 0.6
    assert speed[299] < 0.01


def test_between_the_thresholds_the_speed_is_between_the_lowest_and_the_full() -> None:
    speeds = [wheel_speed(trace_of(np.full(200, p)), PARAMETERS)[-1] for p in (0.29, 0.3, 0.45, 0.6, 0.9)]
    assert speeds == pytest.approx([0, 0.2, 0.6, 1, 1], abs=1e-6)


def test_wheels_are_off_once_the_output_is_stale_and_before_the_first_output() -> None:
    probability = np.concatenate([np.full(20, np.nan), np.ones(50), np.full(50, np.nan)])
    speed = wheel_speed(trace_of(probability), PARAMETERS)
    assert not speed[:20].any()
    assert speed[69 + 24] > 0.9
    assert not speed[69 + 25 :].any()


def test_gap_longer_than_the_output_lasts_starts_from_zero_and_a_short_one_does_not() -> None:
    times = np.arange(100) * 10
    long, short = times.copy(), times.copy()
    long[50:] += 1000
    short[50:] += 50
    assert wheel_speed(trace_of(np.ones(100), long), PARAMETERS)[50] == pytest.approx(0.4)
    assert wheel_speed(trace_of(np.ones(100), short), PARAMETERS)[50] > 0.99


def test_evaluation_compares_the_speed_at_shots_with_that_at_random_moments() -> None:
    probability = np.zeros(1000)
    probability[281:300] = 1
    trace = trace_of(probability, shots=(300, 600))
    found = evaluate_dynamic([trace], PARAMETERS)
    assert found.at_shot is not None
    mean, p5, p50, p95 = found.at_shot
    assert mean == pytest.approx(0.475, abs=0.01)
    assert p50 == pytest.approx(0.475, abs=0.01)
    assert p5 < 0.1
    assert p95 > 0.85
    assert (found.in_time.count, found.in_time.total) == (1, 2)
    assert found.by_chance < 0.05
    assert found.in_time_by_chance == pytest.approx(0.008, abs=0.002)
    assert found.in_time_by_chance < found.by_chance < found.turning < 0.3


def test_shot_is_in_time_only_if_the_speed_was_high_without_interruption_for_the_lead() -> None:
    probability = np.ones(1000)
    probability[495:497] = 0
    trace = trace_of(probability, shots=(500, 800))
    assert evaluate_dynamic([trace], PARAMETERS).in_time.count == 2  # 5 % slower for each sample
    probability[490:497] = 0
    assert evaluate_dynamic([trace_of(probability, shots=(500, 800))], PARAMETERS).in_time.count == 1
    assert evaluate_dynamic([trace_of(probability, shots=(500, 800))], PARAMETERS, min_lead_ms=10).in_time.count == 2


def test_recording_without_a_shot_has_no_speed_at_one() -> None:
    found = evaluate_dynamic([trace_of(np.ones(100))], PARAMETERS)
    assert found.at_shot is None
    assert found.in_time.total == 0
    assert found.by_chance > 0.9
