from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.decision_parameters import DecisionParameters
from models.sessions import Session
from replay.evaluation.evaluate import SpinUpCounts, average_precision, evaluate
from replay.evaluation.sweep import sweep, thresholds
from replay.trace import Trace, levels_of
from stinger.recording import split_recordings
from stinger.shots import find_shots
from tests.helpers.samples import samples_at

SUDDEN = DecisionParameters(attack=1, release=1)
"""Wheels follow the probability from sample to sample."""


def trace_of(
    probability: npt.ArrayLike, *, shots: list[int] | None = None, times: npt.ArrayLike | None = None
) -> Trace:
    """A trace at 100 Hz with trigger edges at the samples ``shots``."""
    output = np.asarray(probability, dtype=np.float32)
    trigger = np.zeros(output.size)
    trigger[shots or []] = 1
    samples = samples_at(np.arange(output.size) * 10 if times is None else times, trigger=trigger)
    (recording,) = split_recordings(samples)
    return Trace(Session("made", recording, find_shots(recording), 0), output)


def pulses(length: int, *stretches: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A probability of 1 in each of ``stretches`` of samples, else 0."""
    output = np.zeros(length, dtype=np.float32)
    for start, stop in stretches:
        output[start:stop] = 1
    return output


def test_every_number_of_a_hand_made_trace() -> None:
    # A shot in time with one more of the same burst, a false spin-up, a shot with wheels too late, a shot without.
    output = pulses(6000, (80, 150), (3000, 3100), (3995, 4010))
    output[:50] = np.nan
    trace = trace_of(output, shots=[100, 130, 4000, 5000])
    result = evaluate([trace], SUDDEN)
    assert (result.accepted.count, result.accepted.total) == (1, 3)
    assert (result.all_shots.count, result.all_shots.total) == (2, 4)
    assert (result.late, result.wheels_off, result.without_output, result.further_shots) == (1, 1, 0, 1)
    assert result.spin_ups == SpinUpCounts(carrying=2, early=0, repeats=0, false=1)
    assert result.spin_ups.total == 3
    assert result.minutes == pytest.approx(1)
    assert result.false.value == pytest.approx(1)
    # 100 samples before the shot and 130 after the burst; 200 before and 100 after each of the other two; ends
    # included.
    assert result.quiet_minutes == pytest.approx((6000 - 231 - 2 * 301) / 6000)
    assert result.false_quiet.count == 1
    assert result.duty == pytest.approx((70 + 100 + 15) / 6000)
    assert result.by_chance == pytest.approx((60 + 90 + 5) / 6000)
    assert result.lead is not None
    assert (result.lead.shots, result.lead.p50_ms) == (2, 125)


def test_false_spin_up_that_begins_near_a_shot_is_not_counted_where_no_shot_is_near() -> None:
    result = evaluate([trace_of(pulses(2000, (1050, 1200)), shots=[1000])], SUDDEN)
    assert (result.false.count, result.false_quiet.count) == (1, 0)


def test_early_spin_up_is_false_and_shown_as_early_and_a_repeat_is_counted_apart() -> None:
    # Two tries at the first shot, the wheels off when it comes; one that carries the second, after a short one.
    trace = trace_of(pulses(6000, (965, 975), (980, 990), (2950, 2960), (2980, 3010)), shots=[1020, 3000])
    result = evaluate([trace], SUDDEN)
    assert result.spin_ups == SpinUpCounts(carrying=1, repeats=2, false=1, early=1)
    assert (result.spin_ups.total, result.false.count) == (4, 1)


def test_shot_before_the_first_output_is_missed_and_counted_as_without_output() -> None:
    output = pulses(500)
    output[:50] = np.nan
    result = evaluate([trace_of(output, shots=[40])], SUDDEN)
    assert (result.accepted.count, result.wheels_off, result.without_output) == (0, 1, 1)


def test_time_of_a_gap_is_in_no_rate_and_wheels_go_off_in_it() -> None:
    times = np.concatenate([np.arange(1000), np.arange(1000) + 100_000]) * 10
    trace = trace_of(pulses(2000, (900, 1000)), times=times)
    result = evaluate([trace], SUDDEN)
    assert result.minutes == pytest.approx(2000 * 10 / 60_000)
    assert levels_of(trace, SUDDEN).spin_ups(SUDDEN.on, SUDDEN.off).times_ms.tolist() == [[9000, 9990 + 250]]


def test_each_recording_starts_with_wheels_off() -> None:
    traces = [trace_of(pulses(100, (50, 100))), trace_of(pulses(100))]
    assert evaluate(traces, SUDDEN).duty == pytest.approx(50 / 200)


def test_average_precision_asks_for_an_accepted_shot_in_100_to_300_ms() -> None:
    ahead = pulses(1000, (470, 491))  # samples 470 to 490 are 300 to 100 ms before sample 500
    result = average_precision([trace_of(ahead, shots=[500])])
    assert result is not None
    assert result.value == 1
    assert (result.by_chance, result.samples) == (21 / 1000, 1000)


def test_average_precision_leaves_out_samples_without_output_or_with_only_a_rejected_edge_ahead() -> None:
    output = pulses(1000)
    output[:50] = np.nan
    result = average_precision([trace_of(output, shots=[500, 560])])
    assert result is not None
    assert result.samples == 1000 - 50 - 21
    assert average_precision([trace_of(output)]) is None


def test_nothing_at_all_evaluates_to_nothing() -> None:
    result = evaluate([], SUDDEN)
    assert math.isnan(result.accepted.value)
    assert result.duty == 0
    assert result.lead is None


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    levels = draw(st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(2, 120)), min_size=1, max_size=12))
    output = np.repeat([level for level, _ in levels], [count for _, count in levels])
    edges = st.sets(st.integers(1, max(1, output.size - 1)), max_size=5)
    return trace_of(output, shots=[edge for edge in draw(edges) if edge < output.size])


@settings(max_examples=30)
@given(traces())
def test_moving_the_threshold_up_never_increases_duty_or_recall(trace: Trace) -> None:
    rows = sweep([trace], DecisionParameters(), thresholds(18), min_lead_ms=100)
    assert (np.diff([row.duty for row in rows]) <= 0).all()
    assert (np.diff([row.accepted.count for row in rows]) <= 0).all()


@given(traces())
def test_counts_add_up_and_intervals_contain_their_estimates(trace: Trace) -> None:
    result = evaluate([trace], DecisionParameters())
    assert result.accepted.count + result.late + result.wheels_off == result.accepted.total
    assert result.spin_ups.carrying + result.further_shots <= result.all_shots.total
    assert result.false_quiet.count <= result.false.count
    assert result.by_chance <= result.duty <= 1
    for share in (result.accepted, result.all_shots):
        assert share.total == 0 or share.low <= share.value <= share.high
    assert result.false.low <= result.false.value <= result.false.high


def test_thresholds_are_those_a_blaster_takes_and_the_own_one() -> None:
    assert thresholds(18, 0.512)[:2] == (0.05, 0.1)
    assert 0.512 in thresholds(18, 0.512)
    assert thresholds(18)[-1] == 0.95
    assert len(thresholds(90, 0.5)) == 91


def test_own_threshold_keeps_its_own_hysteresis() -> None:
    own = DecisionParameters(on=0.5, off=0.45)
    rows = sweep([trace_of(pulses(10))], own, (0.4, 0.5), min_lead_ms=100)
    assert [row.parameters.off for row in rows] == [0.2, 0.45]
