"""Gauges, histograms and timeline charts."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.limits import Limit, Verdict
from hil.record import Latency, Measurement, ScenarioRecord, TimelineEntry
from hil.report.gauge import Gauge, gauge
from hil.report.histogram import panels
from hil.report.timeline_chart import timeline_chart
from tests.hil.report.runs import latency

numbers = st.floats(-1e12, 1e12)


def drawn(value: float | None, limit: Limit, unit: str = "ms") -> Gauge:
    found = gauge(Measurement("m", unit, value, limit))
    assert found is not None
    return found


@given(numbers, st.none() | numbers, st.none() | numbers, st.floats(0, 100))
def test_gauge_shows_the_value_in_the_allowed_range_exactly_if_it_is(
    value: float, one: float | None, other: float | None, marginal: float
) -> None:
    if one is not None and other is not None:
        one, other = min(one, other), max(one, other)
    limit = Limit(one, other, marginal)
    found = drawn(value, limit)
    assert found.value is not None
    assert 0 <= found.value <= 100
    inside = found.allowed.left - 0.02 <= found.value <= found.allowed.left + found.allowed.width + 0.02
    if limit.judge(value) is not Verdict.FAIL:
        assert inside
    elif found.beyond:
        assert found.value == (0 if found.beyond == "low" else 100)


def test_gauge_of_an_unset_measurement_has_no_value() -> None:
    assert drawn(None, Limit(at_most=3)).value is None
    assert drawn(math.nan, Limit(at_most=3)).value is None


def test_measurement_without_limit_has_no_gauge() -> None:
    assert gauge(Measurement("memory", "MiB", 80.0)) is None


@pytest.mark.parametrize(
    ("value", "limit", "margin"),
    [
        (5.0, Limit(at_most=20), "25% of the limit"),
        (0.01, Limit(at_most=20), "less than 1% of the limit"),
        (0.0, Limit(at_most=20), "0% of the limit"),
        (31.0, Limit(at_most=20), "11 ms above the limit"),
        (90.0, Limit(at_most=20), "4.5 times the limit"),
        (4.0, Limit(at_most=0), "4 ms above the limit"),
        (0.0, Limit(at_most=0), ""),
        (3.0, Limit(at_most=-5), "8 ms above the limit"),
        (95.0, Limit(at_least=90), "5 ms within the limit"),
        (88.0, Limit(at_least=90), "2 ms below the limit"),
        (12.0, Limit(12, 12), ""),
        (None, Limit(at_most=1), ""),
    ],
)
def test_distance_to_the_limit_is_described(value: float | None, limit: Limit, margin: str) -> None:
    assert drawn(value, limit).margin == margin


def heights(path: str) -> list[float]:
    """Return the heights of the bars."""
    return [abs(float(base) - float(top)) for base, top in re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", path)]


def test_one_value_among_a_million_is_visible() -> None:
    one = Latency("s", 1_000_001, 100.0, 100.0, 100.0, 100.0, 50_000.0, [(100.0, 1_000_000), (50_000.0, 1)])
    (panel,) = panels([one])
    assert panel.measured is not None
    high, low = heights(panel.measured.path)
    assert high == 100
    assert low >= 3


def test_floor_is_in_the_panel_of_its_stage() -> None:
    rng = np.random.default_rng(1)
    found = panels([latency("a", 1, rng), latency("b", 2, rng), latency("b", 0.2, rng, floor=True)])
    assert [(panel.stage, panel.measured is not None, panel.floor is not None) for panel in found] == [
        ("a", True, False),
        ("b", True, True),
    ]


def test_stages_share_an_axis_of_whole_decades() -> None:
    rng = np.random.default_rng(1)
    found = panels([latency("a", 0.05, rng, count=50), latency("b", 40, rng, count=50)])
    assert found[0].ticks == found[1].ticks
    assert [tick.label for tick in found[0].ticks] == ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms"]


@pytest.mark.parametrize("to_a_decade", [8, 16, 40])
def test_however_fine_its_buckets_an_even_histogram_has_no_gaps(to_a_decade: int) -> None:
    ends = [math.floor(10 ** (place / to_a_decade)) for place in range(2 * to_a_decade + 1, 4 * to_a_decade + 1)]
    even = Latency("s", len(ends), 150.0, 1000.0, 5000.0, 9000.0, 10_000.0, [(float(end), 10) for end in ends])
    (panel,) = panels([even])
    assert panel.measured is not None
    lefts = [float(left) for left in re.findall(r"M([\d.]+)", panel.measured.path)]
    assert len(lefts) in (16, 32)
    assert max(np.diff(lefts)) < 1.01 * min(np.diff(lefts))


def test_bucket_that_ends_at_a_tick_is_drawn_left_of_it() -> None:
    (panel,) = panels([Latency("s", 2, 100.0, None, None, None, 1000.0, [(100.0, 1), (1000.0, 1)])])
    assert panel.measured is not None
    ends = [float(left) + float(width) for left, width in re.findall(r"M([\d.]+) [^h]*h([\d.]+)", panel.measured.path)]
    assert ends[-1] == 1000.0


@given(st.lists(st.tuples(st.floats(0, 1e10), st.integers(1, 10**6)), max_size=50))
def test_any_histogram_stays_in_its_box(buckets: list[tuple[float, int]]) -> None:
    (panel,) = panels([Latency("s", len(buckets), None, None, None, None, None, buckets)])
    assert panel.measured is not None
    assert bool(panel.measured.path) == bool(buckets)
    for left, width in re.findall(r"M([\d.]+) [^h]*h([\d.]+)", panel.measured.path):
        assert 0 <= float(left) < float(left) + float(width) <= 1000.2


def a_scenario(*moments: TimelineEntry, duration_s: float = 10.0) -> ScenarioRecord:
    return ScenarioRecord("s", "t", "emulated", 1, 0.0, duration_s, Verdict.PASS, timeline=moments)


def test_nothing_happened_draws_nothing() -> None:
    assert timeline_chart(a_scenario()) is None


def test_one_device_has_a_row_for_each_thing_faults_first() -> None:
    found = timeline_chart(
        a_scenario(
            TimelineEntry(0.5, "event", "shot"),
            TimelineEntry(2, "recovery", "back"),
            TimelineEntry(1, "fault", "gone", until_s=2.0),
        )
    )
    assert found is not None
    assert [row.label for row in found.rows] == ["gone", "back", "shot"]
    (block,) = found.rows[0].faults
    assert (block.left, block.width, block.title) == (10.0, 10.0, "gone, at 1 s for 1 s")


def test_many_different_events_share_a_row() -> None:
    found = timeline_chart(a_scenario(*(TimelineEntry(i / 2, "event", f"shot {i}") for i in range(20))))
    assert found is not None
    assert [(row.label, row.event_count) for row in found.rows] == [("events", 20)]


def test_several_devices_have_a_row_each_in_the_order_of_their_numbers() -> None:
    found = timeline_chart(a_scenario(*(TimelineEntry(1, "event", "shot", device=f"d{i}") for i in (10, 2, 1))))
    assert found is not None
    assert found.by_device
    assert [row.label for row in found.rows] == ["d1", "d2", "d10"]


def test_million_events_of_a_soak_draw_at_most_a_thousand_strokes() -> None:
    rng = np.random.default_rng(1)
    found = timeline_chart(
        a_scenario(*(TimelineEntry(float(at), "event", "shot") for at in rng.uniform(0, 3600, 20_000)), duration_s=3600)
    )
    assert found is not None
    assert found.rows[0].events.count("M") <= 1001
    assert found.rows[0].event_count == 20_000


@pytest.mark.parametrize("duration_s", [0.0, 0.3, 10.0, 75.0, 3600.0, 864_000.0, 1e8])
def test_axis_has_a_few_ticks_whatever_the_length(duration_s: float) -> None:
    found = timeline_chart(replace(a_scenario(TimelineEntry(0.0, "event", "start")), duration_s=duration_s))
    assert found is not None
    assert 1 <= len(found.ticks) <= 7
    assert all(0 <= place <= 100 for place, _ in found.ticks)
