"""A file may hold a number that no float can: each reader refuses it, or leaves it out, as any other wrong value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hil.bench.scenario import parse_scenario
from models.dataset import META_FILE, read_dataset
from models.decision_parameters import DecisionParameters
from models.version import RECORD_FILE, Version
from replay.evaluation.file_names import JSON_FILE
from service.web.step_times import StepTimes
from service.web.stored_models import false_spin_ups_text, in_time_text
from service.web.trade_off import TRADE_OFF_FOLDER, read_trade_off
from stinger.errors import FileError, InputError
from stinger.marks import parse_marks

HUGE = 10**400


def test_marks_at_impossible_times_are_refused() -> None:
    for marks in ({"left_out": [[0, HUGE]]}, {"not_shots": [HUGE]}, {"left_out": [[HUGE, HUGE + 1]]}):
        with pytest.raises(ValueError, match="expected"):
            parse_marks(marks)


def test_the_record_of_a_model_is_read_without_the_time(tmp_path: Path) -> None:
    (tmp_path / RECORD_FILE).write_text(json.dumps({"sha256": "0" * 64, "us_per_sample": HUGE}))
    record = Version("v", tmp_path).record()
    assert record is not None
    assert record.us_per_sample is None


def test_a_training_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / META_FILE).write_text(json.dumps({"window_samples": 50, "estimated_hz": HUGE}))
    with pytest.raises(FileError, match="estimated_hz is not a number"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("line", [f"seconds = {HUGE}", f"[limits]\nlost_samples = {{at_most = {HUGE}}}"])
def test_a_scenario_is_refused(line: str) -> None:
    with pytest.raises(FileError):
        parse_scenario(f'title = "x"\n{line}\n'.encode(), name="x", place="x.toml")


def test_parameters_of_a_decision_are_refused() -> None:
    for name in ("on", "off", "attack", "release", "stale_ms"):
        with pytest.raises(InputError, match=name):
            DecisionParameters.from_json({name: HUGE})


@pytest.mark.parametrize("total", [HUGE, float("inf"), float("nan"), "3", None])
def test_a_trade_off_with_such_a_number_of_shots_counts_as_not_measured(tmp_path: Path, total: object) -> None:
    row = {"parameters": {"on": 0.5}, "accepted": {"value": 0.9}, "false": {"value": 1.5}, "duty": 0.2}
    operating = {"parameters": {"on": 0.5}, "accepted": {"total": total}, "minutes": 10.0}
    path = tmp_path / TRADE_OFF_FOLDER / "factory" / JSON_FILE
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"rows": [row], "operating": operating, "warnings": []}))
    assert read_trade_off(tmp_path, "factory") is None


def test_the_page_shows_no_such_figure_and_starts_with_the_usual_times(tmp_path: Path) -> None:
    assert in_time_text({"accepted_shots": HUGE, "in_time": 0.5}) == ""
    assert false_spin_ups_text({"minutes": HUGE, "false_per_minute": 0.5}) == ""
    (tmp_path / "steps").write_text(json.dumps({"TRAIN": [["Reading", HUGE]]}))
    assert StepTimes(tmp_path / "steps").of("TRAIN") == StepTimes().of("TRAIN")
