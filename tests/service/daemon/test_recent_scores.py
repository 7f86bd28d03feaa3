from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.daemon.recent_scores import REMEMBERED, RecentScores

OUTPUTS = st.lists(st.one_of(st.just(float("nan")), st.floats(0, 1, width=32)), min_size=1, max_size=1500)


def remembered(outputs: list[float], cuts: list[int]) -> RecentScores:
    """Outputs 10 ms apart, from 0 on, taken in blocks."""
    recent = RecentScores()
    time_ms, values = np.arange(len(outputs)) * 10, np.array(outputs, dtype=np.float32)
    for times, part in zip(np.split(time_ms, cuts), np.split(values, cuts), strict=True):
        recent.remember(times, part)
    return recent


def highest(outputs: list[float]) -> float | None:
    known = [value for value in outputs if value == value]  # noqa: PLR0124 - a NaN alone differs from itself
    return max(known, default=None)


@given(OUTPUTS, st.lists(st.integers(0, 1500), max_size=20).map(sorted), st.integers(0, REMEMBERED - 1))
def test_peak_of_the_last_two_seconds_is_known_however_blocks_are_cut(
    outputs: list[float], cuts: list[int], back: int
) -> None:
    last = len(outputs) - 1
    first = max(0, last - back)
    recent = remembered(outputs, cuts)
    assert recent.peak(first * 10, last * 10) == highest(outputs[first:])
    assert recent.peak(first * 10, first * 10) == highest(outputs[first : first + 1])


@given(OUTPUTS, OUTPUTS, st.lists(st.integers(0, 1500), max_size=20).map(sorted))
def test_peak_since_the_mark_is_known_however_long_ago_it_was(
    before: list[float], after: list[float], cuts: list[int]
) -> None:
    recent = remembered(before, [])
    mark_ms = (len(before) - 1) * 10
    recent.mark(mark_ms)
    time_ms, values = mark_ms + 10 + np.arange(len(after)) * 10, np.array(after, dtype=np.float32)
    for times, part in zip(np.split(time_ms, cuts), np.split(values, cuts), strict=True):
        recent.remember(times, part)
    assert recent.peak(mark_ms, mark_ms + 10 * len(after)) == highest([*before[-1:], *after])


def test_what_was_marked_before_is_not_counted_after_another_mark() -> None:
    recent = remembered([0.9] + [0.1] * 1000, [])
    recent.mark(0)
    recent.remember(np.array([10_010]), np.array([0.2], dtype=np.float32))
    recent.mark(10_010)
    assert recent.peak(10_010, 10_010) == pytest.approx(0.2)


def test_nothing_is_known_after_clearing() -> None:
    recent = remembered([0.9] * 1000, [])
    recent.clear()
    assert recent.peak(0, 10_000) is None
