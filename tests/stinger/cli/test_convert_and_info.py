from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stinger.logs import read_log, read_marked_log, write_log
from stinger.logs.bundle import BundleWriter, describe_recording, relative_samples
from stinger.marks import Marks
from tests.helpers.cli import invoke
from tests.helpers.permissions import needs_permissions, unreadable
from tests.helpers.samples import samples_at


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three seconds with a pause of one second, a shot and a burst."""
    times = np.concatenate([np.arange(150), np.arange(250, 400)]) * 10
    trigger = np.zeros(300)
    trigger[100:105] = 1
    trigger[120:125] = 1
    path = tmp_path / "log.bin"
    write_log(path, samples_at(times, trigger=trigger, channels=np.tile([-7, 0, 0, 0, 0, 9], (300, 1))))
    return path


def test_converting_there_and_back_gives_the_same_bytes(log: Path, tmp_path: Path) -> None:
    assert invoke("convert", log, tmp_path / "log.csv").output == f"{tmp_path / 'log.csv'}: 300 samples\n"
    assert invoke("convert", tmp_path / "log.csv", tmp_path / "again.bin").exit_code == 0
    assert (tmp_path / "again.bin").read_bytes() == log.read_bytes()


def test_converting_onto_itself_works(log: Path) -> None:
    before = log.read_bytes()
    assert invoke("convert", log, log).exit_code == 0
    assert log.read_bytes() == before


def test_capture_is_brought_to_samples_with_rate_and_every(tmp_path: Path) -> None:
    capture = tmp_path / "capture.txt"
    capture.write_text("accel_x,accel_y,accel_z,gyro_x,gyro_y,gyro_z,trigger_state\n" + "-32773,0,0,0,0,0,0\n" * 40)
    result = invoke("convert", capture, tmp_path / "out.bin", "--rate", "800", "--every", "8")
    assert result.exit_code == 0
    assert "Warning" in result.stderr
    assert "clipped 5 values" in result.stderr
    assert read_log(tmp_path / "out.bin").samples["timestamp_ms"].tolist() == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("target", ["out.txt", "out", "missing/out.bin"])
def test_conversion_that_fails_writes_nothing_and_exits_2(log: Path, tmp_path: Path, target: str) -> None:
    result = invoke("convert", log, tmp_path / target)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["log.bin"]


def test_info_prints_what_the_recording_holds(log: Path) -> None:
    output = invoke("info", log).output
    assert "300" in output
    assert "100 Hz" in output
    assert "1: 1.01 s after 1490 ms" in output
    assert "2 trigger edges: 1 accepted, 1 rejected" in output
    assert "gz                9        9" in output


def test_info_as_json_is_for_machines(log: Path) -> None:
    summary = json.loads(invoke("info", "--json", log).output)
    assert summary["samples"] == 300
    assert summary["duration_s"] == 4.0
    assert summary["shots"] == {"edges": 2, "accepted": 1, "rejected": 1}
    assert summary["recordings"][0]["rate_hz"] == 100
    assert summary["recordings"][0]["gaps"] == [{"after_ms": 1490, "length_ms": 1010}]
    assert summary["channels"]["ax"] == {"min": -7, "max": -7}


def test_info_names_both_boots_of_a_log(log: Path) -> None:
    log.write_bytes(log.read_bytes() * 2)
    output = invoke("info", log).output
    assert "2, one for each boot: 4.0 s, 4.0 s" in output
    assert "4 trigger edges: 2 accepted, 2 rejected" in output
    summary = json.loads(invoke("info", "--json", log).output)
    assert summary["duration_s"] == 8.0
    assert summary["gaps"] == 2
    assert summary["shots"] == {"edges": 4, "accepted": 2, "rejected": 2}


def test_info_counts_what_was_repaired(tmp_path: Path) -> None:
    wide, cut = tmp_path / "wide.csv", tmp_path / "cut.bin"
    wide.write_text("timestamp_ms,ax,ay,az,gx,gy,gz,trigger\n0,40000,-40000,3,4,5,6,0\n")
    cut.write_bytes(samples_at([0, 10]).tobytes() + b"ab")
    assert "repairs    clipped 2 values outside int16" in invoke("info", wide).output
    assert json.loads(invoke("info", "--json", wide).output)["clipped"] == 2
    assert "repairs    ignored 2 trailing bytes" in invoke("info", cut).output
    assert json.loads(invoke("info", "--json", cut).output)["trailing_bytes"] == 2


def test_info_of_a_single_sample_does_not_invent_a_rate(tmp_path: Path) -> None:
    write_log(tmp_path / "one.bin", samples_at([5]))
    assert "unknown: time does not advance" in invoke("info", tmp_path / "one.bin").output
    assert json.loads(invoke("info", "--json", tmp_path / "one.bin").output)["recordings"][0]["rate_hz"] is None


def test_unusable_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("timestamp_ms,ax,ay,az,gx,gy,gz,trigger\n1,2,3,x,5,6,7,0\n")
    result = invoke("info", tmp_path / "bad.csv")
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path / 'bad.csv'}: line 2: az is 'x', expected a whole number\n"


def mark(log: Path, marks: Marks, **others: object) -> None:
    sidecar = {"schema": 1, "device": "b1", "started": "2026-01-01T00:00:00.000Z", "marks": [marks.to_json()], **others}
    log.with_suffix(".json").write_text(json.dumps(sidecar))


def bundled(log: Path, marks: Marks) -> Path:
    path, recording = log.with_name("mine.zip"), read_log(log).recordings[0]
    with path.open("wb") as file:
        writer = BundleWriter(file, [describe_recording(recording, marks)])
        writer.add(relative_samples(recording))
        writer.close()
    return path


@pytest.mark.parametrize(
    ("marks", "shots", "texts"),
    [
        (Marks(((900, 1100),)), {"edges": 2, "accepted": 0, "rejected": 1}, ("0.2 s left out", "1 left out")),
        (Marks((), (1000,)), {"edges": 2, "accepted": 1, "rejected": 0}, ("1 marked as no shot",)),
        (Marks(((0, 5000),), (1000,)), {"edges": 2, "accepted": 0, "rejected": 0}, ("5.0 s left out", "2 left out")),
    ],
)
def test_info_counts_shots_with_the_marks(log: Path, marks: Marks, shots: object, texts: tuple[str, ...]) -> None:
    mark(log, marks)
    output = invoke("info", log).output
    assert [text for text in texts if text not in output] == []
    assert json.loads(invoke("info", "--json", log).output)["shots"] == shots


def test_info_of_a_log_whose_marks_cannot_be_read_warns_and_counts_without_them(log: Path) -> None:
    log.with_suffix(".json").write_text("not JSON")
    result = invoke("info", log)
    assert (result.exit_code, "2 trigger edges: 1 accepted" in result.stdout) == (0, True)
    assert "Warning: shots are counted without marks" in result.stderr
    assert "log.json" in result.stderr


@pytest.mark.parametrize("suffix", [".csv", ".bin"])
def test_converting_carries_the_marks_in_a_copy_of_the_sidecar(log: Path, tmp_path: Path, suffix: str) -> None:
    marks = Marks(((100, 300),), (1000,))
    mark(log, marks, closed=False, notes=[])
    target = tmp_path / f"other{suffix}"
    result = invoke("convert", log, target)
    assert (result.exit_code, "Warning" in result.stderr) == (0, False)
    assert read_marked_log(target).marks == (marks,)
    copied = json.loads(target.with_suffix(".json").read_text())
    assert (copied["device"], copied["closed"], copied["samples"]) == ("b1", True, 300)


def test_a_file_of_the_same_name_shares_the_sidecar_which_stays_as_it_is(log: Path) -> None:
    mark(log, Marks(((100, 300),)))
    before = log.with_suffix(".json").read_bytes()
    assert invoke("convert", log, log.with_suffix(".csv")).stderr.count("Warning") == 0
    assert log.with_suffix(".json").read_bytes() == before
    assert read_marked_log(log.with_suffix(".csv")).marks == (Marks(((100, 300),)),)


def test_marks_that_are_not_carried_over_are_reported(log: Path, tmp_path: Path) -> None:
    mark(log, Marks(((100, 300),)))
    other = tmp_path / "other.json"
    other.write_text('{"mine": 1}')
    result = invoke("convert", log, tmp_path / "other.csv")
    assert result.exit_code == 0
    assert f"Warning: marks are not carried over: {other}: is another file" in result.stderr
    assert other.read_text() == '{"mine": 1}'
    result = invoke("convert", bundled(log, Marks(((100, 300),))), tmp_path / "third.bin")
    assert "Warning: marks are not carried over" in result.stderr
    assert not (tmp_path / "third.json").exists()
    log.with_suffix(".json").write_text("not JSON")
    result = invoke("convert", log, tmp_path / "fourth.bin")
    assert "Warning: marks are not carried over" in result.stderr
    assert (tmp_path / "fourth.bin").read_bytes() == log.read_bytes()


def test_marks_of_an_earlier_file_beside_the_target_are_reported(log: Path, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("earlier")
    mark(tmp_path / "other.csv", Marks(((100, 300),)))
    result = invoke("convert", log, tmp_path / "other.csv")
    assert f"Warning: {tmp_path / 'other.json'} has marks that {log} does not have" in result.stderr


@needs_permissions
@pytest.mark.parametrize("line", ["info FILE", "convert FILE out.csv", "explore FILE", "plot --model-file FILE"])
def test_file_that_may_not_be_read_is_one_line(log: Path, line: str) -> None:
    command, *arguments = line.split()
    invoke(command, *arguments)  # imports what the command needs, while everything may be read: there is no file FILE
    with unreadable(log) as name:
        result = invoke(command, *(name if argument == "FILE" else argument for argument in arguments))
    assert result.exit_code == 2
    assert result.stderr == "Error: log.bin: Permission denied\n"
    assert [path.name for path in log.parent.iterdir()] == ["log.bin"]


def test_real_capture_is_shown_with_the_figures_of_its_description(capture_csv: Path) -> None:
    output = invoke("info", capture_csv).output
    assert "2,800" in output
    assert "28.0 s" in output
    assert "100 Hz" in output
    assert "12 trigger edges: 10 accepted, 2 rejected" in output
