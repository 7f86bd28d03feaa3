"""JUnit XML as CI servers expect it."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from hil.limits import Limit, Verdict
from hil.record import Measurement, RunRecord, ScenarioRecord
from hil.report.junit import junit_xml
from tests.hil.report.runs import big_run, run_of, scenario, with_values

# By the schema that Jenkins' xUnit plugin checks with (junit-10) and pytest's xunit2 keeps to: which attributes an
# element may have, those it must have, and which children.
ATTRIBUTES = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set()),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}, {"name", "tests"}),
    "properties": (set(), set()),
    "property": ({"name", "value"}, {"name", "value"}),
    "testcase": ({"name", "classname", "time"}, {"name", "classname"}),
    "failure": ({"type", "message"}, {"type", "message"}),
    "error": ({"type", "message"}, {"type", "message"}),
    "skipped": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}
OUTCOMES = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def parsed(record: RunRecord) -> ET.Element:
    return ET.fromstring(junit_xml(record))


def check_rules(root: ET.Element) -> None:
    for element in root.iter():
        allowed, needed = ATTRIBUTES[element.tag]
        assert needed <= set(element.keys()) <= allowed, element.tag
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        if "time" in element.attrib:
            assert re.fullmatch(r"\d+(\.\d+)?", element.attrib["time"])
        if "timestamp" in element.attrib:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", element.attrib["timestamp"])
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        for total, outcome in OUTCOMES.items():
            assert suite.get(total) == str(len(suite.findall(f"testcase/{outcome}")))
        assert all(sum(case.find(outcome) is not None for outcome in OUTCOMES.values()) <= 1 for case in cases)
    for total in ("tests", "failures", "errors"):
        assert root.get(total) == str(sum(int(suite.attrib[total]) for suite in root))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) == len(set(names)), "GitLab takes only the first of two"


def outcomes(record: RunRecord) -> dict[str, str]:
    """Return the outcome of each case of the first suite: ``pass`` or the name of an element."""
    suite = parsed(record)[0]
    found = {}
    for case in suite.findall("testcase"):
        ends = [child.tag for child in case if child.tag in OUTCOMES.values()]
        found[case.attrib["name"]] = ends[0] if ends else "pass"
    return found


def one(verdict: Verdict, *values: float | None, why: str = "") -> RunRecord:
    measurements = [Measurement(f"m{i}", "ms", value, Limit(at_most=20, marginal=2)) for i, value in enumerate(values)]
    return run_of([ScenarioRecord("s", "t", "emulated", 1, 0.0, 2.5, verdict, why, measurements)])


def test_large_run_follows_the_schema() -> None:
    check_rules(parsed(big_run()))


def test_empty_run_follows_the_schema() -> None:
    check_rules(parsed(run_of([])))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (one(Verdict.PASS, 1, 19), {"scenario": "pass", "m0": "pass", "m1": "pass"}),
        (one(Verdict.FAIL, 1, 30), {"scenario": "pass", "m0": "pass", "m1": "failure"}),
        (one(Verdict.UNSET, 1, None), {"scenario": "pass", "m0": "pass", "m1": "error"}),
        (one(Verdict.INCONCLUSIVE, 1, 30, why="busy"), {"scenario": "error", "m0": "pass", "m1": "skipped"}),
        (one(Verdict.SKIPPED, why="no mosquitto"), {"scenario": "skipped"}),
        (one(Verdict.FAIL, 1, why="the daemon died"), {"scenario": "failure", "m0": "pass"}),
        (one(Verdict.UNSET, why="nothing came"), {"scenario": "error"}),
    ],
)
def test_verdicts_become_outcomes_of_junit(record: RunRecord, expected: dict[str, str]) -> None:
    assert outcomes(record) == expected


@pytest.mark.parametrize("verdict", Verdict)
def test_run_with_a_bad_verdict_is_never_green(verdict: Verdict) -> None:
    root = parsed(one(verdict, 1))
    assert (int(root.attrib["failures"]) + int(root.attrib["errors"]) == 0) == verdict.good


def test_message_is_in_the_text_as_well_since_gitlab_shows_only_that() -> None:
    failure = parsed(one(Verdict.FAIL, 30)).find(".//failure")
    assert failure is not None
    assert failure.text == failure.get("message") == "m0: 30 ms, limit missed: at most 20"


def test_measurement_without_limit_and_environment_are_properties() -> None:
    suite = parsed(big_run())[0]
    values = {each.attrib["name"]: each.attrib["value"] for each in suite.iter("property")}
    assert values["clock drift"] == "unset"
    assert values["memory of the daemon"].endswith(" MiB")
    assert values["environment cores"] == "4"


def test_suite_has_the_time_of_its_start() -> None:
    assert parsed(big_run())[1].get("timestamp") == "2026-03-01T09:30:12"
    check_rules(parsed(replace(big_run(), started="some time")))


def test_repeated_names_are_made_unique() -> None:
    base = scenario("same", "t", np.random.default_rng(1), started_s=0)
    twice = replace(base, measurements=[*base.measurements, *base.measurements])
    check_rules(parsed(run_of([twice, twice])))


def test_any_text_gives_valid_xml() -> None:
    hostile = "\x00\x1b[31m<b a='1'>&]]>\ud800\uffff\n\"é🎯"
    base = scenario(hostile, hostile, np.random.default_rng(1), started_s=0)
    bad = with_values(base, Verdict.FAIL, hostile, shots_lost=4)
    root = parsed(replace(run_of([bad]), environment={hostile: hostile}))
    check_rules(root)
    name = root[0].attrib["name"]
    assert "<b a='1'>&]]>" in name
    assert "é🎯" in name
    assert "\x1b" not in name
