"""``stinger recordings mark``, and that every command that trains or evaluates respects what was marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.factory import factory_model_bytes
from models.task_runner import no_progress_bar
from service.retraining.training_data import read_training_data
from stinger.logs import read_log, write_log
from stinger.paths import recordings_dir
from stinger.shots import find_shots
from tests.helpers.cli import invoke
from tests.helpers.drawing import open_fonts
from tests.helpers.retraining import keep_recording
from tests.helpers.synthetic import synthetic_samples

SAMPLES = synthetic_samples(12_000, 20)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "ml_log.bin"
    write_log(path, SAMPLES)
    (tmp_path / "model.onnx").write_bytes(factory_model_bytes())
    return path


@pytest.fixture(scope="module")
def fonts() -> None:
    open_fonts()


def shots_s(log: Path) -> list[float]:
    """Return the times of the accepted shots, in seconds after the first sample."""
    (recording,) = read_log(log).recordings
    shots = find_shots(recording)
    return [float(at) / 1000 for at in shots.time_ms[shots.accepted] - recording.time_ms[0]]


def mark(path: Path, *arguments: object) -> str:
    result = invoke("recordings", "mark", path, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def mark_one_shot_and_20_s(log: Path) -> int:
    """Mark the first shot as none and leave out 20 s in the middle; return how many shots remain."""
    shots = shots_s(log)
    mark(log, "--leave-out", "40-60", "--not-a-shot", f"{shots[0] + 0.2:.1f}")
    return sum(not 40 <= at <= 60 for at in shots) - 1


def evaluation(log: Path, *arguments: object) -> Any:
    result = invoke("evaluate", *arguments, log, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_marks_are_set_shown_and_removed(log: Path) -> None:
    first = shots_s(log)[0]
    mark(log, "--leave-out", "12.5-20", "--leave-out", "19-21.25", "--not-a-shot", first + 0.3)
    shown = mark(log)
    assert "8.8 s left out, 1 trigger edge not a shot" in shown
    assert "left out    12.500 to 21.250 s" in shown
    assert f"not a shot  {first:.3f} s" in shown
    mark(log, "--use-again", "14-15", "--a-shot", first)
    assert json.loads(mark(log, "--json"))["left_out"] == [[12500, 14000], [15000, 21250]]
    assert json.loads(mark(log, "--json"))["not_shots"] == []
    assert "nothing is marked" in mark(log, "--clear")


def test_the_list_of_recordings_shows_marks_and_its_names_can_be_given(tmp_path: Path) -> None:
    path = keep_recording(tmp_path, SAMPLES, device="left")
    mark(Path("left", path.name), "--leave-out", "0-5", "--data-dir", tmp_path)
    listed = invoke("recordings", "list", "--data-dir", tmp_path)
    assert "(5.0 s left out)" in listed.stdout
    (row,) = json.loads(invoke("recordings", "list", "--data-dir", tmp_path, "--json").stdout)
    assert row["marks"] == [{"left_out": [[0, 5000]], "not_shots": []}]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--leave-out", "20-12"), "the earlier first"),
        (("--leave-out", "-1-5"), "expected two times in seconds"),
        (("--leave-out", "12"), "expected two times in seconds"),
        (("--leave-out", "nan-5"), "expected two times in seconds"),
        (("--leave-out", "500-600"), "the recording ends at"),
        (("--not-a-shot", "soon"), "expected seconds after the first sample"),
        (("--not-a-shot", "0"), "no trigger edge within 0.5 s of 0 s"),
        (("--recording", 2), "has 1"),
    ],
)
def test_a_mark_that_cannot_be_is_refused_in_one_line(log: Path, arguments: tuple[object, ...], complaint: str) -> None:
    result = invoke("recordings", "mark", log, *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not log.with_suffix(".json").exists()


def test_evaluations_count_neither_marked_shots_nor_left_out_minutes(log: Path) -> None:
    model = ("--model-file", log.with_name("model.onnx"))
    before = evaluation(log, *model)
    remaining = mark_one_shot_and_20_s(log)
    after = evaluation(log, *model)
    assert before["operating"]["accepted"]["total"] == 20
    assert after["operating"]["accepted"]["total"] == after["data"][0]["accepted_shots"] == remaining
    assert after["operating"]["minutes"] == pytest.approx(before["operating"]["minutes"] - 20.01 / 60)
    trained = evaluation(log, "--train", "logreg:summary", "--folds", 2)
    assert trained["operating"]["accepted"]["total"] == remaining


def test_calibrations_use_what_remains(log: Path) -> None:
    remaining = mark_one_shot_and_20_s(log)
    options = ("--max-false-per-minute", 1000, "--for", "blaster", "--dry-run")
    result = invoke("calibrate", "--model-file", log.with_name("model.onnx"), *options, log)
    assert result.exit_code == 0, result.output
    assert f"{remaining} accepted shots" in result.stdout or f"of {remaining}," in result.stdout
    assert "marked: 20.0 s left out, 1 trigger edge not a shot" in result.stderr


@pytest.mark.usefixtures("fonts")
def test_training_sets_and_models_have_no_rows_of_what_is_marked(log: Path, tmp_path: Path) -> None:
    def counts() -> tuple[int, int]:
        explored = invoke(
            "explore", log, "--outdir", tmp_path / "ml_out", "--export-dataset", "--max-shots", 1, "--dpi", 30
        )
        assert explored.exit_code == 0, explored.output
        meta = json.loads((tmp_path / "ml_out" / "train" / "meta.json").read_text())
        trained = invoke("train", log, "--labels", "stream", "--json")
        assert trained.exit_code == 0, trained.output
        return meta["positives"], json.loads(trained.stdout)["dataset"]["rows"]

    positives, rows = counts()
    remaining = mark_one_shot_and_20_s(log)
    positives_left, rows_left = counts()
    assert (positives, positives_left) == (20, remaining)
    assert rows_left < rows


def test_retraining_reads_marks(tmp_path: Path) -> None:
    path = keep_recording(tmp_path, SAMPLES)
    remaining = mark_one_shot_and_20_s(path)
    data = read_training_data(tmp_path, [], max_hours=10, min_shot_gap_ms=1000, bar=no_progress_bar)
    assert [item.session.accepted_shots for item in data.items] == [remaining]
    assert any("20.0 s left out, 1 trigger edge not a shot" in line for line in data.warnings)


@pytest.mark.parametrize(
    "command", ["evaluate --model-file {model}", "explore", "train --labels stream", "personalise"]
)
def test_a_damaged_sidecar_is_one_line(log: Path, tmp_path: Path, command: str) -> None:
    log.with_suffix(".json").write_bytes(b'{"schema": 1, "device": "b1", "marks": [{"left_out": "all"}]}')
    words = command.format(model=log.with_name("model.onnx")).split()
    outdir = ("--outdir", tmp_path / "out") if words[0] in ("explore", "personalise") else ()
    result = invoke(*words, *outdir, log)
    assert result.exit_code == 2
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "ml_log.json: left_out is not a list" in result.stderr


def test_personalising_uses_what_remains(log: Path, tmp_path: Path) -> None:
    mark(log, "--leave-out", "5-120")
    result = invoke("personalise", log, "--outdir", tmp_path / "out", "--data-dir", tmp_path / "data")
    assert result.exit_code == 0, result.output
    assert "Not yet" in result.stdout


def test_a_bundle_carries_marks_and_its_readers_respect_them(tmp_path: Path) -> None:
    path = keep_recording(tmp_path, SAMPLES)
    remaining = mark_one_shot_and_20_s(path)
    packed = invoke("recordings", "bundle", "--data-dir", tmp_path, "-o", tmp_path / "mine.zip")
    assert packed.exit_code == 0, packed.output
    (tmp_path / "model.onnx").write_bytes(factory_model_bytes())
    found = evaluation(tmp_path / "mine.zip", "--model-file", tmp_path / "model.onnx")
    assert found["operating"]["accepted"]["total"] == remaining
    refused = invoke("recordings", "mark", tmp_path / "mine.zip", "--leave-out", "0-1")
    assert refused.exit_code == 2
    assert "is a bundle" in refused.stderr
    assert recordings_dir(tmp_path).is_dir()
