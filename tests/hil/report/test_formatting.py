"""Numbers, limits and verdicts as text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.limits import Limit, Verdict
from hil.record import Measurement
from hil.report.formatting import (
    duration_s,
    duration_us,
    finding,
    format_limit,
    format_value,
    headline,
    number,
    reasons,
)
from tests.hil.report.runs import big_run, run_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (3.0, "3"),
        (-12345.0, "-12,345"),
        (1234.56, "1,235"),
        (19.214999, "19.21"),
        (0.00012345, "0.0001234"),
        (3.2104e-7, "3.21e-7"),
        (1e-5, "0.00001"),
        (2.5e20, "2.5e20"),
        (math.nan, "not a number"),
        (-math.inf, "-infinite"),
    ],
)
def test_number_is_short_and_plain(value: float, text: str) -> None:
    assert number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_value_beyond_its_limit_never_looks_like_the_limit(value: float, limit: float) -> None:
    assert (number(value, unlike=[limit]) == number(limit, unlike=[value])) == (value == limit)


def test_value_has_the_digits_that_distinguish_it_from_its_limit() -> None:
    assert format_value(Measurement("p99", "ms", 20.00004, Limit(at_most=20))) == "20.00004 ms"


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (Limit(at_most=20), "at most 20 ms"),
        (Limit(at_least=0.9), "at least 0.9 ms"),
        (Limit(99, 101), "99 to 101 ms"),
        (Limit(5, 5), "exactly 5 ms"),
        (Limit(), "any value"),
    ],
)
def test_limit_is_formatted(limit: Limit, text: str) -> None:
    assert format_limit(limit, "ms") == text


@pytest.mark.parametrize(
    ("value_us", "text"),
    [(None, "unknown"), (0.0, "0 µs"), (950.4, "950 µs"), (999.7, "1 ms"), (1844.0, "1.84 ms"), (2.34e6, "2.34 s")],
)
def test_short_time_has_a_suitable_unit(value_us: float | None, text: str) -> None:
    assert duration_us(value_us) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0034, "0 s"),
        (0.213, "0.21 s"),
        (9.84, "9.8 s"),
        (59.0, "59 s"),
        (151.0, "2 min 31 s"),
        (3900.0, "1 h 5 min"),
        (math.nan, "unknown"),
    ],
)
def test_long_time_is_formatted(seconds: float, text: str) -> None:
    assert duration_s(seconds) == text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (4.0, "repeats: 4 events, limit missed: at most 2 (x)"),
        (None, "repeats: unset, limit at most 2 events (x)"),
        (1.5, "repeats: 1.5 events, close to its limit: at most 2 (x)"),
        (0.0, "repeats: 0 events, limit at most 2 (x)"),
    ],
)
def test_finding_has_value_limit_and_note(value: float | None, words: str) -> None:
    assert finding(Measurement("repeats", "events", value, Limit(at_most=2, marginal=1), note="x")) == words


def test_reasons_begin_with_that_of_the_record_and_omit_passed_measurements() -> None:
    jitter = next(each for each in big_run().scenarios if each.name == "jitter")
    assert reasons(jitter) == [
        "this computer woke up 14 ms late at p99 by itself",
        "latency from shot to message, p99: 31 ms, limit missed: at most 20",
    ]


def test_headline_counts_bad_verdicts() -> None:
    assert headline(big_run()) == "The run failed: of 14 scenarios, 2 failed, 1 unset, 1 inconclusive"


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ((), "No scenario was run"),
        (("steady", "drop"), "The run passed: 2 scenarios"),
        (("stall", "broker outage"), "The run passed: 1 scenario, 1 of them marginal, 1 skipped"),
        (("broker outage",), "Nothing was tested: 1 scenario skipped"),
        (("jitter", "steady"), "The run is inconclusive: of 2 scenarios, 1 inconclusive"),
    ],
)
def test_headline_claims_no_more_than_was_run(kept: tuple[str, ...], words: str) -> None:
    assert headline(run_of([each for each in big_run().scenarios if each.name in kept])) == words


def test_skipped_is_good_and_makes_no_run_worse() -> None:
    assert Verdict.SKIPPED.good
    assert max(Verdict.SKIPPED, Verdict.PASS, key=lambda verdict: verdict.rank) is Verdict.PASS
