"""Records of runs, and limits."""

from __future__ import annotations

import json
import math

import pytest

from hil.limits import Limit, Verdict
from hil.record import ARRIVAL_JITTER_STAGE, Latency, Measurement, RunRecord, ScenarioRecord, TimelineEntry
from stinger.errors import InputError


def a_run() -> RunRecord:
    scenario = ScenarioRecord(
        name="steady",
        title="Nothing wrong",
        dut="emulated",
        seed=1,
        started_s=0.5,
        duration_s=10.0,
        verdict=Verdict.FAIL,
        measurements=[
            Measurement("samples lost", "samples", 3.0, Limit(at_most=0)),
            Measurement("drift", "ppm", None, note="no shared clock"),
        ],
        latencies=[Latency("emitted to received", 2, 1.0, 2.0, 2.0, 2.0, 2.0, [(1.0, 1), (2.0, 1)], corrected=True)],
        timeline=[TimelineEntry(1.0, "fault", "unplugged", until_s=2.0, device="d0")],
    )
    return RunRecord("2026-01-01T00:00:00Z", 11.0, Verdict.FAIL, {"kernel": "6.1", "latency timer": None}, [scenario])


def test_record_is_read_back_from_its_json() -> None:
    assert RunRecord.from_json(a_run().to_json(), name="r.json") == a_run()


def test_renamed_stage_of_an_older_record_is_read() -> None:
    text = a_run().to_json().replace("emitted to received", "sample: beyond the quickest, to read")
    (scenario,) = RunRecord.from_json(text, name="r.json").scenarios
    assert [latency.stage for latency in scenario.latencies] == [ARRIVAL_JITTER_STAGE]


def test_infinity_and_nan_are_null_in_the_json() -> None:
    text = RunRecord("", math.nan, Verdict.PASS).to_json()
    assert json.loads(text)["duration_s"] is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 1}', '{"schema": 2}', '{"schema": 1, "scenarios": [{}]}', "[" * 9000]
)
def test_other_text_is_refused_in_one_line_with_the_file(text: str) -> None:
    with pytest.raises(InputError, match=r"^r\.json: [^\n]*$"):
        RunRecord.from_json(text, name="r.json")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"duration_s": 11.0', '"duration_s": null'),
        ('"seed": 1', '"seed": true'),
        ('"title": "Nothing wrong"', '"title": 5'),
        ('"at_most": 0', '"at_most": "none"'),
        ('"kernel": "6.1"', '"kernel": []'),
        ('"stage": "emitted to received"', '"stage": null'),
    ],
)
def test_value_of_another_type_is_refused_with_its_name(before: str, after: str) -> None:
    text = a_run().to_json()
    assert before in text
    with pytest.raises(InputError, match=r"^r\.json: [^\n]*\("):
        RunRecord.from_json(text.replace(before, after), name="r.json")


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (None, Verdict.UNSET),
        (math.nan, Verdict.FAIL),
        (0.9, Verdict.FAIL),
        (1.0, Verdict.MARGINAL),
        (1.5, Verdict.PASS),
        (1.95, Verdict.MARGINAL),
        (2.1, Verdict.FAIL),
    ],
)
def test_limit_judges_a_value(value: float | None, verdict: Verdict) -> None:
    assert Limit(at_least=1.0, at_most=2.0, marginal=0.1).judge(value) is verdict
