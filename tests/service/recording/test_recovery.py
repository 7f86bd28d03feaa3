from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from service.recording.recovery import OpenRecording, open_recordings, recover
from service.recording.sidecar import Sidecar, read_sidecar
from service.recording.store import list_files
from stinger.files import write_bytes
from stinger.logs.marked import sidecar_path
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT
from tests.helpers.samples import random_samples
from tests.service.recording.test_recorder import recordings, sidecars

STEM = "20260131T170203.456Z"
STARTED_MS = 1_769_878_923_456


def left_open(folder: Path, data: bytes, *, name: str = STEM, sidecar: Sidecar | None = None) -> Path:
    path = folder / "d" / f"{name}.bin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    if sidecar is not None:
        write_bytes(sidecar_path(path), sidecar.to_json())
    return path


def opened(folder: Path) -> list[OpenRecording]:
    return [found for found in open_recordings(list_files(folder)) if isinstance(found, OpenRecording)]


@pytest.mark.parametrize("zeros", [17, 20, 4096, 100_000])
def test_zeros_that_a_power_cut_left_are_cut_off_and_are_no_samples(tmp_path: Path, zeros: int) -> None:
    samples = random_samples(100, first_ms=5000)
    samples["gz"], samples["trigger"] = 7, 0
    path = left_open(tmp_path, samples.tobytes() + bytes(zeros))
    found = recover(tmp_path)
    assert (found.closed, found.samples, found.torn_bytes) == (1, 100, zeros)
    assert path.read_bytes() == samples.tobytes()
    assert read_sidecar(sidecar_path(path)).samples == 100


def test_record_that_was_written_in_part_before_the_zeros_is_cut_off_too(tmp_path: Path) -> None:
    samples = random_samples(100, first_ms=5000)
    left_open(tmp_path, samples.tobytes()[: 99 * 17 + 8] + bytes(1000))
    assert recover(tmp_path).samples == 99


def test_last_record_may_end_with_zeros(tmp_path: Path) -> None:
    samples = random_samples(10, first_ms=5000)
    samples["gz"], samples["trigger"] = 0, 0
    left_open(tmp_path, samples.tobytes())
    assert recover(tmp_path).samples == 10


def test_recording_of_zeros_alone_is_deleted(tmp_path: Path) -> None:
    path = left_open(tmp_path, bytes(5000))
    assert recover(tmp_path).removed == 1
    assert not path.exists()


def test_zero_of_the_devices_clock_comes_from_the_sidecar_or_from_the_name(tmp_path: Path) -> None:
    samples = random_samples(10, first_ms=5000)
    left_open(tmp_path, samples.tobytes())
    assert opened(tmp_path)[0].clock_zero_ms == STARTED_MS - 5000
    left_open(tmp_path, samples.tobytes(), sidecar=Sidecar(device="d", started="", clock_zero_ms=77))
    assert opened(tmp_path)[0].clock_zero_ms == 77


def test_newest_recording_is_recovered_first_and_closed_ones_are_left_out(tmp_path: Path) -> None:
    data = random_samples(10).tobytes()
    names = ["20260131T170203.456Z", "20260101T170203.456Z", "20260201T170203.456Z"]
    for name in names:
        left_open(tmp_path, data, name=name)
    left_open(tmp_path, data, name="20260301T170203.456Z", sidecar=Sidecar(device="d", started="", closed=True))
    assert [one.path.stem for one in opened(tmp_path)] == [names[2], names[0], names[1]]


def test_samples_of_an_open_recording_are_its_whole_records(tmp_path: Path) -> None:
    samples = random_samples(10)
    left_open(tmp_path, samples.tobytes() + b"torn")
    (one,) = opened(tmp_path)
    assert np.array_equal(one.samples, samples)
    assert one.torn_bytes == 4


WRITER = """
import sys
from pathlib import Path
from service.recording.disk_worker import DiskWorker
from service.recording.recorder import Recorder
from service.recording.recording_file import RecordingFile
from tests.service.blocks import blocks_of
from tests.helpers.samples import random_samples
recorder = Recorder(Path(sys.argv[1]), sync_interval_s=60.0, keep_free_bytes=0)
written = 0
for block in blocks_of(random_samples(1_000_000), 3):
    written += recorder.append(block)
    sys.stdout.write(f"{written}\\n")
    sys.stdout.flush()
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9")
def test_killed_process_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(500)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines(keepends=True)
        process.wait(PATIENCE_S)
    written = int([line for line in lines if line.endswith(b"\n")][-1])
    (path,) = recordings(tmp_path)
    # As if the last write had been torn by the machine's own death.
    with path.open("ab") as file:
        file.write(b"torn")

    recovery = recover(tmp_path)

    assert (recovery.closed, recovery.torn_bytes, recovery.problems) == (1, 4, ())
    assert recovery.samples >= written
    assert path.read_bytes() == random_samples(1_000_000)[: recovery.samples].tobytes()
    (sidecar,) = sidecars(tmp_path)
    assert (sidecar.closed, sidecar.end, sidecar.samples) == (True, "recovered", recovery.samples)
    assert recover(tmp_path).closed == 0


def test_recovery_describes_a_recording_without_a_sidecar(tmp_path: Path) -> None:
    samples = random_samples(30)
    samples["timestamp_ms"][20:] += 500
    path = tmp_path / "d" / "20260131T170203.456Z_002.bin"
    path.parent.mkdir()
    path.write_bytes(samples.tobytes())
    (path.parent / ".20260131T170203.456Z.json.0a1b2c3d.tmp").write_bytes(b"{")
    assert recover(tmp_path).closed == 1
    sidecar = read_sidecar(sidecar_path(path))
    assert (sidecar.device, sidecar.started, sidecar.gaps) == ("d", "2026-01-31T17:02:03.456Z", 1)
    assert len(list(path.parent.iterdir())) == 2


def test_recovery_removes_recordings_without_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "d" / "20260131T170203.456Z.bin"
    path.parent.mkdir()
    path.write_bytes(b"torn")
    recovery = recover(tmp_path)
    assert (recovery.removed, recovery.torn_bytes) == (1, 4)
    assert list(path.parent.iterdir()) == []


def test_recovery_leaves_foreign_files_and_unknown_sidecars_alone(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    for name in ("mine.bin", "20260131T170203.456Z.bin"):
        (folder / name).write_bytes(np.arange(4).tobytes())
    write_bytes(folder / "20260131T170203.456Z.json", b'{"schema": 2}')
    before = {path: path.read_bytes() for path in folder.iterdir()}
    recovery = recover(tmp_path)
    assert len(recovery.problems) == 1
    assert "schema" in recovery.problems[0]
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_recovery_of_a_missing_folder_finds_nothing(tmp_path: Path) -> None:
    assert recover(tmp_path / "none").closed == 0
