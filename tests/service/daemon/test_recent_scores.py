from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.daemon.recent_scores import KEPT_SAMPLES, RecentScores

SCORES = st.lists(st.one_of(st.just(float("nan")), st.floats(0, 1, width=32)), min_size=1, max_size=1500)


def recent_scores(scores: list[float], cuts: list[int]) -> RecentScores:
    """``scores`` 10 ms apart, from 0 on, added in blocks."""
    recent = RecentScores()
    time_ms, values = np.arange(len(scores)) * 10, np.array(scores, dtype=np.float32)
    for times, part in zip(np.split(time_ms, cuts), np.split(values, cuts), strict=True):
        recent.add(times, part)
    return recent


def highest(scores: list[float]) -> float | None:
    known = [value for value in scores if value == value]  # noqa: PLR0124 - a NaN alone differs from itself
    return max(known, default=None)


@given(SCORES, st.lists(st.integers(0, 1500), max_size=20).map(sorted), st.integers(0, KEPT_SAMPLES - 1))
def test_peak_of_the_last_two_seconds_is_known_for_blocks_of_any_length(
    scores: list[float], cuts: list[int], back: int
) -> None:
    last = len(scores) - 1
    first = max(0, last - back)
    recent = recent_scores(scores, cuts)
    assert recent.peak(first * 10, last * 10) == highest(scores[first:])
    assert recent.peak(first * 10, first * 10) == highest(scores[first : first + 1])


@given(SCORES, SCORES, st.lists(st.integers(0, 1500), max_size=20).map(sorted))
def test_peak_since_the_mark_is_known_after_any_time(before: list[float], after: list[float], cuts: list[int]) -> None:
    recent = recent_scores(before, [])
    mark_ms = (len(before) - 1) * 10
    recent.mark(mark_ms)
    time_ms, values = mark_ms + 10 + np.arange(len(after)) * 10, np.array(after, dtype=np.float32)
    for times, part in zip(np.split(time_ms, cuts), np.split(values, cuts), strict=True):
        recent.add(times, part)
    assert recent.peak(mark_ms, mark_ms + 10 * len(after)) == highest([*before[-1:], *after])


def test_scores_since_an_earlier_mark_are_not_counted_after_another() -> None:
    recent = recent_scores([0.9] + [0.1] * 1000, [])
    recent.mark(0)
    recent.add(np.array([10_010]), np.array([0.2], dtype=np.float32))
    recent.mark(10_010)
    assert recent.peak(10_010, 10_010) == pytest.approx(0.2)


def test_no_peak_is_known_after_clearing() -> None:
    recent = recent_scores([0.9] * 1000, [])
    recent.clear()
    assert recent.peak(0, 10_000) is None
