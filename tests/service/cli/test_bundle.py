"""``stinger recordings bundle``: what it packs, what it does not, and that every command reads the result."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from service.recording.sidecar import RecordingNote, read_sidecar
from stinger.logs import read_log, write_log
from stinger.logs.bundle import MANIFEST
from stinger.logs.marked import sidecar_path
from stinger.sample import axes
from tests.helpers.cli import invoke
from tests.helpers.drawing import open_fonts
from tests.helpers.retraining import keep_recording
from tests.helpers.synthetic import synthetic_samples


@pytest.fixture(scope="module")
def fonts() -> None:
    open_fonts()


def pack(data: Path, *arguments: str | Path) -> Result:
    return invoke("recordings", "bundle", "--data-dir", data, *arguments)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with recordings of two devices, and a note on one of them."""
    for seed, device in enumerate(("anna", "anna", "bert")):
        path = keep_recording(tmp_path, synthetic_samples(6000, 15, seed=seed), device=device, hours=24 * seed)
    note = RecordingNote("2026-01-03T12:00:00Z", "Bert in the garden")
    sidecar_path(path).write_bytes(replace(read_sidecar(sidecar_path(path)), notes=(note,)).to_json())
    return tmp_path


def contents(path: Path) -> set[bytes]:
    return {axes(recording.samples).tobytes() for recording in read_log(path).recordings}


def motion(*seeds: int) -> set[bytes]:
    return {axes(synthetic_samples(6000, 15, seed=seed)).tobytes() for seed in seeds}


@pytest.mark.parametrize(
    ("arguments", "seeds"),
    [
        ((), (0, 1, 2)),
        (("anna",), (0, 1)),
        (("bert", "anna"), (0, 1, 2)),
        (("--since", "2026-01-02"), (1, 2)),
        (("anna", "--since", "2026-01-02"), (1,)),
        (("--since", "9999999d"), (0, 1, 2)),
    ],
)
def test_recordings_that_were_asked_for_are_packed(
    data: Path, arguments: tuple[str, ...], seeds: tuple[int, ...]
) -> None:
    result = pack(data, "-o", data / "mine.zip", *arguments)
    assert result.exit_code == 0, result.output
    assert f"{len(seeds)} recording" in result.output
    assert contents(data / "mine.zip") == motion(*seeds)


def test_bundle_names_no_device_no_date_and_no_note(data: Path) -> None:
    assert pack(data, "-o", data / "mine.zip").exit_code == 0
    with zipfile.ZipFile(data / "mine.zip") as archive:
        text = archive.read(MANIFEST).decode() + " ".join(archive.namelist())
    for word in ("anna", "bert", "Bert", "garden", "2026", "12:00", str(data)):
        assert word not in text
    assert all(recording.time_ms[0] == 0 for recording in read_log(data / "mine.zip").recordings)


def test_order_and_bytes_do_not_depend_on_when_it_was_recorded(tmp_path: Path) -> None:
    for order, folder in (((0, 1, 2), "one"), ((2, 0, 1), "two")):
        for hours, seed in enumerate(order):
            keep_recording(tmp_path / folder, synthetic_samples(2000, 5, seed=seed), device=f"d{hours}", hours=hours)
        assert pack(tmp_path / folder, "-o", tmp_path / f"{folder}.zip").exit_code == 0
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_notes_are_packed_on_request_without_their_times(data: Path) -> None:
    assert pack(data, "-o", data / "mine.zip", "--with-notes").exit_code == 0
    with zipfile.ZipFile(data / "mine.zip") as archive:
        text = archive.read(MANIFEST).decode()
    assert [one["notes"] for one in json.loads(text)["recordings"] if "notes" in one] == [["Bert in the garden"]]
    assert "2026" not in text


def test_logs_are_packed_too_and_copies_once(data: Path, tmp_path: Path) -> None:
    write_log(
        tmp_path / "pulled.csv", np.concatenate((synthetic_samples(6000, 15, seed=8), synthetic_samples(6000, 15)))
    )
    result = pack(data, "-o", data / "mine.zip", "--log", tmp_path / "pulled.csv", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["recordings"] == 4
    assert contents(data / "mine.zip") == motion(0, 1, 2, 8)


def test_recording_that_is_damaged_or_short_is_left_out_with_a_warning(data: Path) -> None:
    keep_recording(data, synthetic_samples(150, 1), hours=200)
    keep_recording(data, synthetic_samples(500, 2), hours=300).write_bytes(b"\xff" * 1700)
    result = pack(data, "-o", data / "mine.zip")
    assert result.exit_code == 0
    assert "Warning: left out: 1 recording of less than 2 s" in result.stderr
    assert "the trigger is 255" in result.stderr
    assert contents(data / "mine.zip") == motion(0, 1, 2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("clara",), "no recordings of 'clara' in "),
        (("--since", "9000-01-01"), "there is nothing to pack"),
        (("--since", "yesterday"), "--since: expected a date such as 2026-01-31, or a duration such as 30d"),
        (("--log", "missing.bin"), "missing.bin: No such file"),
    ],
)
def test_what_cannot_be_packed_is_one_line_and_leaves_no_file(
    data: Path, arguments: tuple[str, ...], says: str
) -> None:
    result = pack(data, "-o", data / "mine.zip", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(data.glob("*.zip"))


def test_folder_that_cannot_be_written_leaves_nothing_behind(data: Path) -> None:
    result = pack(data, "-o", data / "no" / "mine.zip")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert not (data / "no").exists()


def test_existing_bundle_is_replaced_as_a_whole(data: Path) -> None:
    for arguments in ((), ("bert",)):
        assert pack(data, "-o", data / "mine.zip", *arguments).exit_code == 0
    assert contents(data / "mine.zip") == motion(2)


@pytest.mark.usefixtures("fonts")
def test_explore_makes_a_training_set_of_a_bundle(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert pack(data, "-o", "mine.zip").exit_code == 0
    result = invoke("explore", "mine.zip", "--export-dataset", "--max-shots", 0, "--dpi", 30)
    assert result.exit_code == 0, result.output
    assert len(json.loads(Path("ml_out/train/meta.json").read_bytes())["sessions"]) == 3


@pytest.mark.slow
@pytest.mark.usefixtures("fonts")
def test_every_command_that_reads_logs_reads_a_bundle(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert pack(data, "-o", "mine.zip").exit_code == 0
    few = ("--max-shots", 1, "--dpi", 30)
    for arguments in (
        ("info", "mine.zip"),
        ("convert", "mine.zip", "all.bin"),
        ("explore", "mine.zip", "--export-dataset", *few),
        ("train", "--train-dir", "ml_out/train", "--split", "session", "--out", "model.onnx"),
        ("plot", "--csv", "mine.zip", *few),
        ("evaluate", "--train", "logreg:summary", "mine.zip"),
        ("evaluate", "--model-file", "model.onnx", "mine.zip"),
        ("calibrate", "--model-file", "model.onnx", "--max-false-per-minute", 100, "--dry-run", "mine.zip"),
    ):
        result = invoke(*arguments)
        assert result.exit_code == 0, (arguments, result.output)
    assert len(read_log("all.bin").recordings) == 3
    assert "3 folds by session" in invoke("evaluate", "--train", "logreg:summary", "mine.zip").output
    assert "The model was trained on " in invoke("evaluate", "--model-file", "model.onnx", "all.bin").output
