"""The report of a run as JUnit XML, which Jenkins, GitLab, GitHub Actions and most other CI servers read.

There is no standard; this uses what the schema of Jenkins' xUnit plugin and pytest's ``xunit2`` have in common. GitLab
shows the text of a failure, not its ``message``, and only the first of two cases with the same class and name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from xml.etree import ElementTree as ET

from hil.limits import Verdict
from hil.record import Measurement, RunRecord, ScenarioRecord
from hil.report.formatting import finding, format_value, reasons

_INVALID_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot contain, even escaped."""
_OUTCOMES: Final = ("failure", "error", "skipped")
_SCENARIO_CASE: Final = "scenario"


def junit_xml(record: RunRecord) -> bytes:
    """Return UTF-8 XML with a ``testsuite`` per scenario, and in it a ``testcase`` per measurement that has a limit.

    The first case of a suite, ``scenario``, is the scenario itself: skipped if it does not apply, an error if it is
    inconclusive or unset, a failure if it failed for another reason than a measurement. The missed limits of an
    inconclusive scenario are skipped. Measurements without a limit are properties, and so is the environment.
    """
    root = ET.Element("testsuites", {"name": "stinger hil"})
    names: Counter[str] = Counter()
    for scenario in record.scenarios:
        root.append(_suite(record, scenario, _unique(scenario.name, names)))
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    root.set("time", _seconds(record.duration_s))
    ET.indent(root)
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _suite(record: RunRecord, scenario: ScenarioRecord, name: str) -> ET.Element:
    suite = ET.Element("testsuite", {"name": _clean(name), "time": _seconds(scenario.duration_s)})
    started = _timestamp(record.started, scenario.started_s)
    if started is not None:
        suite.set("timestamp", started)
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(record, scenario):
        ET.SubElement(properties, "property", {"name": _clean(key), "value": _clean(value)})
    suite.append(_scenario_case(scenario, name))
    names = Counter([_SCENARIO_CASE])
    for measurement in scenario.measurements:
        if measurement.limit is not None:
            suite.append(_measurement_case(scenario, measurement, name, _unique(measurement.name, names)))
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for outcome, total in zip(_OUTCOMES, ("failures", "errors", "skipped"), strict=True):
        suite.set(total, str(sum(case.find(outcome) is not None for case in cases)))
    return suite


def _properties(record: RunRecord, scenario: ScenarioRecord) -> Iterator[tuple[str, str]]:
    yield "verdict", scenario.verdict.value
    yield "title", scenario.title
    yield "dut", scenario.dut
    yield "seed", str(scenario.seed)
    for measurement in scenario.measurements:
        if measurement.limit is None:
            yield measurement.name, format_value(measurement)
    for latency in scenario.latencies:
        kind = "floor" if latency.floor else "latency"
        for part in ("p50_us", "p99_us", "max_us"):
            value = getattr(latency, part)
            yield f"{kind} {latency.stage} {part}", "unset" if value is None else f"{value:.1f}"
    for key, known in record.environment.items():
        yield f"environment {key}", "unknown" if known is None else str(known)


def _scenario_case(scenario: ScenarioRecord, suite: str) -> ET.Element:
    case = _case(suite, _SCENARIO_CASE, scenario.duration_s)
    judged = {measurement.verdict for measurement in scenario.measurements}
    why = "; ".join(reasons(scenario)) or scenario.verdict.value
    if scenario.verdict is Verdict.SKIPPED:
        _add_outcome(case, "skipped", scenario.verdict, scenario.why or "does not apply")
    elif scenario.verdict is Verdict.INCONCLUSIVE or (
        scenario.verdict is Verdict.UNSET and Verdict.UNSET not in judged
    ):
        _add_outcome(case, "error", scenario.verdict, why)
    elif scenario.verdict is Verdict.FAIL and Verdict.FAIL not in judged:
        _add_outcome(case, "failure", scenario.verdict, why)
    elif scenario.why:
        ET.SubElement(case, "system-out").text = _clean(scenario.why)
    return case


def _measurement_case(scenario: ScenarioRecord, measurement: Measurement, suite: str, name: str) -> ET.Element:
    case = _case(suite, name, 0.0)
    verdict = measurement.verdict
    message = finding(measurement)
    if verdict in (Verdict.FAIL, Verdict.UNSET) and scenario.verdict in (Verdict.INCONCLUSIVE, Verdict.SKIPPED):
        _add_outcome(case, "skipped", scenario.verdict, f"not judged: the scenario is {scenario.verdict}: {message}")
    elif verdict is Verdict.FAIL:
        _add_outcome(case, "failure", verdict, message)
    elif verdict is Verdict.UNSET:
        _add_outcome(case, "error", verdict, message)
    else:
        ET.SubElement(case, "system-out").text = _clean(message)
    return case


def _case(suite: str, name: str, seconds: float) -> ET.Element:
    return ET.Element(
        "testcase", {"classname": _clean(f"hil.{suite}"), "name": _clean(name), "time": _seconds(seconds)}
    )


def _add_outcome(case: ET.Element, outcome: str, verdict: Verdict, message: str) -> None:
    ET.SubElement(case, outcome, {"type": verdict.value, "message": _clean(message)}).text = _clean(message)


def _unique(name: str, names: Counter[str]) -> str:
    names[name] += 1
    return name if names[name] == 1 else f"{name} ({names[name]})"


def _timestamp(started: str, after_s: float) -> str | None:
    """Return ISO 8601 without a time zone, as the schema requires; ``None`` if the record has no valid time."""
    try:
        moment = datetime.fromisoformat(started) + timedelta(seconds=after_s)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


def _seconds(value: float | None) -> str:
    return f"{value or 0.0:.3f}"


def _clean(text: str) -> str:
    return _INVALID_XML.sub("\N{REPLACEMENT CHARACTER}", text)
