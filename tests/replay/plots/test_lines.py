"""Lines: broken where nothing is known, thinned without losing a peak."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from replay.plots.lines import breaks_in, broken, thinned
from stinger.recording import split_recordings
from tests.helpers.samples import samples_at


def test_a_gap_between_any_two_of_the_chosen_samples_is_a_break() -> None:
    (recording,) = split_recordings(samples_at([0, 10, 20, 30, 2000, 2010, 2020, 5000]))
    assert breaks_in(recording, np.arange(8)).tolist() == [4, 7]
    assert breaks_in(recording, np.array([0, 3, 6])).tolist() == [2]


def test_a_broken_line_has_nothing_before_each_break() -> None:
    x, y = broken(np.arange(4.0), np.arange(8.0).reshape(4, 2), np.array([2]))
    assert np.isnan(x).tolist() == [False, False, True, False, False]
    assert np.isnan(y).all(axis=1).tolist() == np.isnan(x).tolist()


@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), min_size=1, max_size=300),
    st.lists(st.integers(1, 299), max_size=5, unique=True).map(sorted),
    st.integers(2, 60),
)
def test_thinning_keeps_the_extremes_and_the_breaks(values: list[float], breaks: list[int], max_points: int) -> None:
    y = np.array(values)
    x = np.arange(y.size, dtype=np.float64)
    cuts = [at for at in breaks if at < y.size]
    thin_x, thin_y = thinned(x, y, np.array(cuts, dtype=np.intp), max_points)
    known = ~np.isnan(thin_y)
    if np.isnan(y).all():
        assert not thin_x.size
        return
    assert thin_y[known].min() == np.nanmin(y)
    assert thin_y[known].max() == np.nanmax(y)
    assert (y[thin_x[known].astype(int)] == thin_y[known]).all()
    assert (np.diff(thin_x[known]) > 0).all()
    for left, right in zip(np.flatnonzero(known), np.flatnonzero(known)[1:], strict=False):
        if right == left + 1:  # a line is drawn between the two: nothing unknown and no break lies between
            between = slice(int(thin_x[left]), int(thin_x[right]) + 1)
            assert not np.isnan(y[between]).any()
            assert not any(thin_x[left] < at <= thin_x[right] for at in cuts)


def test_a_long_line_becomes_about_as_many_points_as_asked_for() -> None:
    y = np.random.default_rng(1).normal(size=90_000)
    x, _ = thinned(np.arange(90_000.0), y, np.array([], dtype=np.intp), 1000)
    assert 900 <= x.size <= 1010
