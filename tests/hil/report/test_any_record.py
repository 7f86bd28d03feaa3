"""An edited record is refused in one line, or every report can be made from it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hil.record import RunRecord
from hil.report.baseline import compare
from hil.report.html import html_page
from hil.report.junit import junit_xml
from hil.report.text import plain_report
from stinger.errors import InputError
from tests.hil.report.runs import hall, run_of, scenario


def a_run() -> RunRecord:
    """Return a small run that contains every kind of entry."""
    rng = np.random.default_rng(1)
    one, two = scenario("one", "t", rng, started_s=0), hall(rng, devices=2, started_s=10)
    latencies = [replace(each, buckets=each.buckets[:2]) for each in one.latencies[-2:]]
    one = replace(one, measurements=one.measurements[-4:], latencies=latencies, timeline=one.timeline[:3])
    return run_of([one, replace(two, latencies=[], timeline=two.timeline[:4])])


GOOD = a_run()
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)


def places(tree: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to all values in a tree of JSON."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for key, value in items for place in ((*above, key), *places(value, (*above, key)))]


PLACES = places(json.loads(GOOD.to_json()))


@settings(max_examples=50)
@given(st.sampled_from(PLACES), values)
@example(("duration_s",), None)
@example(("scenarios", 0, "duration_s"), 1e300)
@example(("scenarios", 0, "timeline", 0, "at_s"), -5)
@example(("scenarios", 0, "latencies", 0, "buckets"), [[100.0, -1]])
@example(("scenarios", 0, "latencies", 0, "buckets", 0), [1.0, float("inf")])
@example(("scenarios", 1, "timeline", 3, "at_s"), 1.7e305)
@example(("scenarios", 1, "timeline", 3, "at_s"), -1.7e306)
@example(("scenarios", 1, "timeline", 0, "until_s"), float("inf"))
@example(("scenarios", 0, "latencies", 0, "buckets", 1, 0), 1.0000001e308)
@example(("scenarios", 0, "latencies", 0, "p50_us"), -1e9)
@example(("scenarios", 0, "measurements", 0, "limit"), {"at_least": 2.0, "at_most": 1.0, "marginal": -1})
@example(("started",), "9999-12-31T23:59:59")
def test_edited_record_is_refused_or_every_report_is_made(place: tuple[Any, ...], value: Any) -> None:
    tree = json.loads(GOOD.to_json())
    inside = tree
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    with contextlib.suppress(InputError):
        record = RunRecord.from_json(json.dumps(tree), name="edited.json")
        for old, new in ((GOOD, record), (record, GOOD)):
            comparison = compare(old, new, name="old")
            assert html_page(new, comparison).encode()
            assert plain_report(new, comparison)
            assert junit_xml(new)


@pytest.mark.slow
@settings(max_examples=500)
@given(st.sampled_from(PLACES), values)
def test_edited_record_is_refused_or_every_report_is_made_whatever_the_edit(place: tuple[Any, ...], value: Any) -> None:
    test_edited_record_is_refused_or_every_report_is_made.hypothesis.inner_test(place, value)  # type: ignore[attr-defined]
