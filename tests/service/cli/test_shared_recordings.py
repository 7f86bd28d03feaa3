"""Commands that read recordings from shared storage: a mounted folder, where nothing else matters, and an S3 server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.storage.folder import StorageFolder
from models.task_runner import no_progress_bar
from service.recording.sidecar import Sidecar
from service.retraining.training_data import TrainingData, read_training_data
from stinger.errors import FileError
from stinger.logs import read_log
from stinger.logs.marked import sidecar_path
from stinger.storage_url import StorageUrl, parse_storage_url
from tests.helpers.cli import invoke, run_stinger
from tests.helpers.drawing import open_fonts
from tests.helpers.retraining import keep_recording
from tests.helpers.synthetic import synthetic_samples


@pytest.fixture(scope="module")
def fonts() -> None:
    open_fonts()


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StorageUrl:
    """A mounted folder with three recordings of two devices, uploaded by the daemons north and south."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for seed, (daemon, device) in enumerate((("north", "anna"), ("north", "bert"), ("south", "anna"))):
        keep_recording(tmp_path / daemon, synthetic_samples(3000, 8, seed=seed), device=device, hours=24 * seed)
        (tmp_path / "hall").mkdir(exist_ok=True)
    for daemon in ("north", "south"):
        (tmp_path / daemon / "recordings").rename(tmp_path / "hall" / daemon)
    return parse_storage_url(f"file://{tmp_path}/hall")


def local_paths(hall: StorageUrl) -> list[Path]:
    return sorted(Path(hall.path).rglob("*.bin"), key=lambda path: path.name)


def training_data(tmp_path: Path, hall: StorageUrl, *logs: str, max_hours: float = 24) -> TrainingData:
    return read_training_data(
        tmp_path / "data", logs, max_hours=max_hours, min_shot_gap_ms=1000, bar=no_progress_bar, shared=hall
    )


def test_recordings_of_all_daemons_are_listed(hall: StorageUrl) -> None:
    result = invoke("recordings", "list", "--recordings", hall)
    assert result.exit_code == 0, result.output
    *lines, summary = result.stdout.splitlines()
    assert [line.split()[-1].rpartition("/")[0] for line in lines] == ["north/anna", "north/bert", "south/anna"]
    assert summary.startswith("3 recordings, ")
    rows = json.loads(invoke("recordings", "list", "--recordings", hall, "--json").stdout)
    assert [(row["daemon"], row["device"]) for row in rows] == [("north", "anna"), ("north", "bert"), ("south", "anna")]


def test_retraining_reads_the_recordings_of_all_daemons(hall: StorageUrl, tmp_path: Path) -> None:
    found = training_data(tmp_path, hall)
    assert [item.sha256 for item in found.items] == [read_log(path).sha256 for path in local_paths(hall)]
    assert found.items[1].path == f"{hall}/{local_paths(hall)[1].relative_to(hall.path)}"
    assert [session.name for session in found.sessions] == [
        "anna 2026-01-01 12:00:00",
        "bert 2026-01-02 12:00:00",
        "anna 2026-01-03 12:00:00",
    ]


def test_only_the_newest_hours_are_downloaded(hall: StorageUrl, tmp_path: Path) -> None:
    found = training_data(tmp_path, hall, max_hours=2 * 3000 / 360_000)
    assert len(found.items) == 2
    assert found.warnings == ("left out: 1 recording, the oldest, beyond 0.0166667 hours",)
    assert len(list((tmp_path / "cache").rglob("*Z.bin"))) == 2


def test_a_log_for_retraining_may_be_a_url(hall: StorageUrl, tmp_path: Path) -> None:
    found = read_training_data(tmp_path / "data", [hall.text], max_hours=24, min_shot_gap_ms=1000, bar=no_progress_bar)
    assert len(found.items) == 3


def test_a_recording_whose_sidecar_is_not_there_yet_is_left_out_with_a_warning(hall: StorageUrl) -> None:
    sidecar_path(local_paths(hall)[0]).unlink()
    result = invoke("recordings", "list", "--recordings", hall)
    assert result.stderr == "Warning: left out: 1 recording, not yet completely uploaded\n"
    assert "2 recordings" in result.stdout


def test_a_recording_that_was_written_in_part_is_left_out_and_named(hall: StorageUrl, tmp_path: Path) -> None:
    path = local_paths(hall)[0]
    sidecar_path(path).write_bytes(Sidecar(device="anna", started="", samples=3000, closed=True).to_json())
    path.write_bytes(path.read_bytes()[:17_000])
    found = training_data(tmp_path, hall)
    assert len(found.items) == 2
    (warning,) = found.warnings
    assert warning.startswith(f"left out: {hall}/north/anna/")
    assert "was written in part, 17,000 of 51,000 bytes" in warning
    url = f"{hall}/{path.relative_to(hall.path)}"
    with pytest.raises(FileError, match="was written in part"):
        training_data(tmp_path, hall, url)


def test_a_damaged_recording_is_left_out_and_named_by_its_url(hall: StorageUrl, tmp_path: Path) -> None:
    path = local_paths(hall)[0]
    path.write_bytes(b"\xff" * len(path.read_bytes()))
    found = training_data(tmp_path, hall)
    assert len(found.items) == 2
    assert found.warnings[0].startswith(f"left out: {hall}/north/anna/")


def test_a_bundle_is_packed_from_shared_storage(hall: StorageUrl, tmp_path: Path) -> None:
    result = invoke("recordings", "bundle", "-o", tmp_path / "all.zip", "--recordings", hall)
    assert result.stdout.startswith(f"{tmp_path}/all.zip: 3 recordings, "), result.output
    one = invoke(
        "recordings", "bundle", "-o", tmp_path / "one.zip", "--recordings", hall, "bert", "--since", "2026-01-02"
    )
    assert "1 recording, " in one.stdout
    unknown = invoke("recordings", "bundle", "-o", tmp_path / "x.zip", "--recordings", hall, "carl")
    assert unknown.stderr == f"Error: no recordings of 'carl' in {hall}: there are anna, bert\n"


def test_a_folder_without_recordings_is_one_line(hall: StorageUrl) -> None:
    result = invoke("evaluate", "--train", "logreg:summary", f"{hall}/west")
    assert (result.exit_code, result.stderr) == (2, f"Error: {hall}/west: there are no recordings\n")


def test_evaluating_a_folder_gives_the_numbers_of_its_files(hall: StorageUrl) -> None:
    shared = invoke("evaluate", "--train", "logreg:summary", hall, "--json")
    assert shared.exit_code == 0, shared.output
    local = invoke("evaluate", "--train", "logreg:summary", *sorted(local_paths(hall)), "--json")
    mine, theirs = json.loads(shared.stdout), json.loads(local.stdout)
    assert mine["operating"] == theirs["operating"]
    assert mine["data"][0]["path"].startswith(f"{hall}/north/anna/")


@pytest.mark.usefixtures("fonts")
def test_a_recording_with_another_rate_is_left_out_of_a_folder(hall: StorageUrl) -> None:
    samples = synthetic_samples(3000, 8, seed=9)
    samples["timestamp_ms"] *= 2
    local_paths(hall)[0].write_bytes(samples.tobytes())
    result = invoke("explore", hall, "--outdir", Path(hall.path).parent / "out", "--max-shots", 1, "--dpi", 30)
    assert result.exit_code == 0, result.output
    assert f"Warning: left out: {hall}/north/anna/" in result.stderr


@pytest.mark.slow
def test_train_and_calibrate_read_from_an_s3_server(s3_url: StorageUrl, hall: StorageUrl, tmp_path: Path) -> None:
    folder = StorageFolder(s3_url)
    for path in Path(hall.path).rglob("*.*"):
        folder.upload(path, str(path.relative_to(hall.path)))
    model = tmp_path / "model.onnx"
    training = run_stinger(
        "train", "--labels", "stream", s3_url, "--model", "logreg", "--features", "summary", "--out", model
    )
    assert training.returncode == 0, training.stderr
    limits = ("--max-false-per-minute", 1000, "--out", tmp_path / "calibrated.onnx")
    calibrating = run_stinger("calibrate", "--model-file", model, *limits, s3_url)
    assert calibrating.returncode == 0, calibrating.stderr
    missing = run_stinger("evaluate", "--model-file", model, "s3://no-such-bucket/hall")
    assert (missing.returncode, missing.stderr) == (2, "Error: s3://no-such-bucket/hall: there is no such bucket\n")
