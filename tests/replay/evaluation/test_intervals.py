from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from replay.evaluation.intervals import poisson, wilson


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_interval_of_a_ratio_contains_it_and_stays_within_0_and_1(count: int, more: int) -> None:
    for ratio in (wilson(count, count + more), wilson(count, max(count, 1))):
        assert 0 <= ratio.low <= ratio.value <= ratio.high <= 1


@given(st.integers(0, 10_000), st.floats(1e-3, 1e6))
def test_interval_of_a_rate_contains_it(count: int, minutes: float) -> None:
    rate = poisson(count, minutes)
    assert 0 <= rate.low <= rate.value <= rate.high


@given(st.integers(1, 500))
def test_interval_of_a_rate_is_the_exact_one(count: int) -> None:
    rate = poisson(count, 2.0)
    assert rate.low == pytest.approx(chi2.ppf(0.025, 2 * count) / 4)
    assert rate.high == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 4)


def test_wilson_interval_is_the_published_one() -> None:
    # 81 of 263: E. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17
    # (1998).
    ratio = wilson(81, 263)
    assert (round(ratio.low, 4), round(ratio.high, 4)) == (0.2553, 0.3662)


def test_nothing_in_some_minutes_bounds_the_rate_at_three_in_them() -> None:
    assert poisson(0, 10).high == pytest.approx(0.3, rel=0.01)


def test_without_shots_or_minutes_nothing_is_known() -> None:
    assert math.isnan(wilson(0, 0).value)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)
    assert math.isnan(poisson(0, 0).value)
    assert poisson(0, 0).high == math.inf
