"""The recorder when the disk refuses to write or is full."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.recording.device_recording import DeviceRecording
from service.recording.disk_alarm import DiskAlarm, RecorderAlarm
from stinger.device_name import DeviceName
from stinger.logs.marked import sidecar_path
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT
from tests.helpers.samples import random_samples
from tests.service.blocks import block_of, blocks_of
from tests.service.recording.test_recorder import recorder_in, recordings, sidecars

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="uses what only Linux has")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root on Linux")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], check=False, capture_output=True
    )
    if mount.returncode:
        pytest.skip("mounting is not permitted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk_stops_recording_until_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(150_000))
    samples = random_samples(10_000)
    alarms: list[RecorderAlarm] = []
    kept = []
    with recorder_in(small_disk / "r", retry_s=0.05, on_alarm=alarms.append) as recorder:
        blocks = list(blocks_of(samples, 7))
        for block in blocks[:1000]:
            count = recorder.append(block)
            kept.append(block.samples[:count])
        assert [alarm.active for alarm in alarms] == [True]
        assert "No space left" in alarms[0].reason
        assert 0 < sum(map(len, kept)) < 7000
        lost = recorder.stats().lost
        assert lost == 7000 - sum(map(len, kept))

        ballast.unlink()
        time.sleep(0.06)
        kept += [block.samples[: recorder.append(block)] for block in blocks[1000:1100]]
        assert [alarm.active for alarm in alarms] == [True, False]
        assert recorder.stats().lost == lost
    (path,) = recordings(small_disk / "r")
    assert path.read_bytes() == b"".join(part.tobytes() for part in kept)
    (sidecar,) = sidecars(small_disk / "r")
    assert (sidecar.lost_to_disk, sidecar.gaps, sidecar.closed) == (lost, 1, True)
    assert sidecar.samples == path.stat().st_size // 17


@pytest.mark.parametrize("retry_s", [0, 600])
def test_recording_pauses_while_the_disk_is_low_on_space_and_is_tried_again_later(
    small_disk: Path, retry_s: float
) -> None:
    ballast = small_disk / "ballast"
    alarms: list[RecorderAlarm] = []
    with recorder_in(small_disk / "r", retry_s=retry_s, keep_free_bytes=100_000, on_alarm=alarms.append) as recorder:
        first, second, third = blocks_of(random_samples(30), 10)
        assert recorder.append(first) == 10
        ballast.write_bytes(bytes(180_000))
        recorder.flush()
        assert recorder.append(second) == 0
        assert "less than 0.1 MB free" in alarms[-1].reason
        ballast.write_bytes(b"")
        assert recorder.append(third) == (0 if retry_s else 10)
        assert [alarm.active for alarm in alarms] == ([True] if retry_s else [True, False])


@pytest.mark.parametrize("written", [0, 1, 17, 40])
def test_torn_write_leaves_whole_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    samples = random_samples(30)
    real_write = os.write
    fails = iter([False, True])

    def torn_write(fd: int, data: bytes) -> int:
        fail = next(fails, None)
        if fail is None:
            return real_write(fd, data)
        if fail or not written:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(fd, data[:written])

    with recorder_in(tmp_path, retry_s=0.0) as recorder:
        first, second, third = blocks_of(samples, 10)
        assert recorder.append(first) == 10
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", torn_write)
            kept = recorder.append(second)
        assert kept == written // 17
        assert recorder.append(third) == 10
    (path,) = recordings(tmp_path)
    assert path.read_bytes() == samples[: 10 + kept].tobytes() + samples[20:].tobytes()
    assert sidecars(tmp_path)[0].lost_to_disk == 10 - kept


def test_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = random_samples(30)
    real_write = os.write
    with recorder_in(tmp_path) as recorder, monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real_write(fd, data[:5]))
        assert recorder.append(block_of(samples)) == 30
        path = recorder.current(DeviceName("d"))
    assert path is not None
    assert path.read_bytes() == samples.tobytes()


def test_file_with_a_failed_write_is_closed_and_another_one_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fd: int, data: bytes) -> int:
        del fd, data
        raise OSError(errno.EIO, "Input/output error")

    alarms: list[RecorderAlarm] = []
    with recorder_in(tmp_path, retry_s=0.0, on_alarm=alarms.append) as recorder:
        first, second, third = blocks_of(random_samples(30), 10)
        recorder.append(first)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", broken)
            assert recorder.append(second) == 0
        assert recorder.append(third) == 10
    assert [sidecar.end for sidecar in sidecars(tmp_path)] == ["disk", "stop"]
    assert [alarm.active for alarm in alarms] == [True, False]


def test_folder_that_cannot_be_created_is_an_alarm(tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(b"in the way")
    alarms: list[RecorderAlarm] = []
    with recorder_in(tmp_path, retry_s=0.0, on_alarm=alarms.append) as recorder:
        first, second = blocks_of(random_samples(20), 10)
        assert recorder.append(first) == 0
        assert alarms[0].active
        (tmp_path / "d").unlink()
        assert recorder.append(second) == 10
    assert not alarms[-1].active
    assert sidecars(tmp_path)[0].lost_to_disk == 10


@linux_only
def test_recording_deleted_while_open_is_detected_and_another_one_created(tmp_path: Path) -> None:
    with recorder_in(tmp_path) as recorder:
        first, second = blocks_of(random_samples(20), 10)
        recorder.append(first)
        recorder.flush()
        (path,) = recordings(tmp_path)
        path.unlink()
        sidecar_path(path).unlink()
        recorder.flush()
        assert recorder.append(second) == 10
    assert any(path.read_bytes() == second.samples.tobytes() for path in recordings(tmp_path))


def test_torn_record_that_cannot_be_cut_off_at_once_is_cut_off_on_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write = os.write

    def torn_write(fd: int, data: bytes) -> int:
        if len(data) != 170:
            raise OSError(errno.EIO, "Input/output error")
        return real_write(fd, data[:20])

    real_truncate = os.ftruncate
    refusals = iter([OSError(errno.EIO, "Input/output error")])

    def refuse_once(fd: int, size: int) -> None:
        for error in refusals:
            raise error
        real_truncate(fd, size)

    alarms: list[RecorderAlarm] = []
    with recorder_in(tmp_path, retry_s=0.0, on_alarm=alarms.append) as recorder:
        first, second = blocks_of(random_samples(20), 10)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", torn_write)
            patch.setattr(os, "ftruncate", refuse_once)
            assert recorder.append(first) == 1
            assert recorder.flush()
        assert "torn record" in alarms[0].reason
        assert recorder.append(second) == 10
    assert [path.stat().st_size for path in recordings(tmp_path)] == [17, 170]
    assert [(sidecar.samples, sidecar.lost_to_disk) for sidecar in sidecars(tmp_path)] == [(1, 9), (10, 0)]


LIMITED = """
import resource, sys
from pathlib import Path
from service.recording.disk_worker import DiskWorker
from service.recording.recorder import Recorder
from service.recording.recording_file import RecordingFile
from tests.service.blocks import blocks_of
from tests.helpers.samples import random_samples
recorder = Recorder(Path(sys.argv[1]), keep_free_bytes=0, retry_s=0.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
kept = sum(recorder.append(block) for block in blocks_of(random_samples(300), 7))
stats = recorder.stats()
assert recorder.close()
print(kept, stats.samples, stats.lost, stats.files)
"""


def _run_program(text: str, folder: Path) -> list[str]:
    """Run a Python program with the argument ``folder`` in a process of its own; return the words that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", text, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return done.stdout.split()


@linux_only
def test_file_that_the_system_does_not_let_grow_is_closed_and_another_one_created(tmp_path: Path) -> None:
    words = _run_program(LIMITED, tmp_path)
    kept, samples, lost, files = map(int, words)
    sizes = [path.stat().st_size for path in recordings(tmp_path)]
    assert (kept, kept + lost, files) == (samples, 300, len(sizes))
    assert files > 1
    assert all(size % 17 == 0 and size <= 1000 for size in sizes)
    assert sum(sizes) == 17 * kept


def test_a_disk_that_fails_in_turns_raises_two_alarms_and_is_tried_ever_less_often() -> None:
    alarms: list[bool] = []
    alarm = DiskAlarm(lambda change: alarms.append(change.active), steady_s=60.0)
    device = DeviceRecording(Path(), DeviceName("d"), enabled=True)
    for now_s in range(0, 100, 4):
        device.note_refusal(now_s)
        alarm.device_failed(device.device, now_s, "full", lost=0)
        alarm.device_recovered(device.device, now_s + 2, now_s, lost=0)
        device.resumed_s = now_s + 2
        alarm.settle(now_s + 3, lost=0)
    assert alarms == [True, False, True]
    assert device.relapses == 24
    alarm.settle(98 + 59, lost=0)
    assert alarm.active
    alarm.settle(98 + 60, lost=0)
    assert alarms == [True, False, True, False]
    device.note_refusal(98 + 61)
    assert device.relapses == 0


LIMITED_BEFORE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
from service.recording.recorder import Recorder
from tests.helpers.samples import random_samples
from tests.service.blocks import blocks_of
alarms = []
recorder = Recorder(sys.argv[1], keep_free_bytes=0, on_alarm=alarms.append)
kept = sum(recorder.append(block) for block in blocks_of(random_samples(300), 7))
print(kept, recorder.stats().lost, len(alarms), recorder.close())
"""


@linux_only
def test_a_process_that_may_write_small_files_only_records_everything_in_such_files(tmp_path: Path) -> None:
    words = _run_program(LIMITED_BEFORE, tmp_path)
    assert words == ["300", "0", "0", "True"]
    assert sum(path.stat().st_size for path in recordings(tmp_path)) == 17 * 300


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody change a file that is open")
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda path: path.unlink(), "deleted"),
        (lambda path: path.rename(path.with_name("mine.bin")), "renamed"),
        (lambda path: path.parent.rename(path.parent.with_name("mine")), "renamed"),
        (lambda path: os.truncate(path, 17), "shortened"),
    ],
)
def test_a_recording_that_another_program_takes_away_is_ended_and_another_one_begun(
    tmp_path: Path, change: Callable[[Path], object], word: str
) -> None:
    alarms: list[RecorderAlarm] = []
    with recorder_in(tmp_path, on_alarm=alarms.append) as recorder:
        first, second = blocks_of(random_samples(20), 10)
        assert recorder.append(first) == 10
        (path,) = recordings(tmp_path)
        change(path)
        recorder.flush()
        assert recorder.append(second) == 10
        current = recorder.current(DeviceName("d"))
    assert f"was {word} while it was being written" in alarms[0].reason
    assert [alarm.active for alarm in alarms] == [True, False]
    assert current is not None
    assert current.read_bytes() == second.samples.tobytes()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b""), lambda path: path.symlink_to(path), os.mkfifo])
def test_what_is_in_place_of_the_folder_of_a_device_is_named(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "d")
    alarms: list[RecorderAlarm] = []
    with recorder_in(tmp_path, on_alarm=alarms.append) as recorder:
        assert recorder.append(block_of(random_samples(10))) == 0
    assert alarms[0].reason == f"{tmp_path / 'd'}: exists and is not a folder"
