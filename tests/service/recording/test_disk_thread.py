"""The recorder's thread that forces files to the disk and writes sidecars, when these fail or take long."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from service.base.note import NoteText
from service.recording.disk_alarm import RecorderAlarm
from service.recording.disk_worker import DiskWorker
from service.recording.recording_file import RecordingFile
from service.recording.recovery import recover
from service.recording.sidecar import EndReason, Sidecar, read_sidecar
from stinger.device_name import DeviceName
from stinger.logs.marked import sidecar_path
from stinger.utc import utc_text
from tests.helpers.patience import PATIENCE_S
from tests.helpers.samples import random_samples
from tests.service.blocks import block_of, blocks_of
from tests.service.recording.test_recorder import recorder_in, recordings, sidecars

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="uses what only Linux has")


def test_disk_that_fails_to_flush_is_an_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int) -> None:
        del fd
        raise OSError(errno.EIO, "Input/output error")

    alarms: list[RecorderAlarm] = []
    with recorder_in(tmp_path, on_alarm=alarms.append) as recorder:
        first, second = blocks_of(random_samples(20), 10)
        recorder.append(first)
        with monkeypatch.context() as patch:
            for name in ("fdatasync", "fsync"):
                patch.setattr(os, name, refuse, raising=False)
            assert not recorder.flush()
        assert recorder.append(second) == 10
        assert [alarm.active for alarm in alarms] == [True, False]
        assert recorder.stats().errors >= 1
    assert [sidecar.samples for sidecar in sidecars(tmp_path)] == [10, 10]


def test_sidecar_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    with recorder_in(tmp_path) as recorder:
        recorder.append(block_of(random_samples(5)))
        assert recorder.flush()
        (path,) = recordings(tmp_path)
        sidecar_path(path).unlink()
        sidecar_path(path).mkdir()  # nothing can be written there
        recorder.note(DeviceName("d"), NoteText("kept"))
        assert not recorder.flush()
        sidecar_path(path).rmdir()
        assert recorder.flush()
        assert read_sidecar(sidecar_path(path)).notes[0].text == "kept"


def test_sidecar_that_cannot_be_encoded_keeps_nothing_else_from_being_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with recorder_in(tmp_path) as recorder:
        for device in ("a", "b"):
            recorder.append(block_of(random_samples(10), device=device))
        recorder.note(DeviceName("a"), cast(NoteText, b"not a text"))  # cannot be written as JSON
        recorder.note(DeviceName("b"), NoteText("a text"))
        assert not recorder.flush(), "a sidecar is missing"
        assert recorder.supervise() == ""
        assert [note.text for note in sidecars(tmp_path, "b")[0].notes] == ["a text"]
        recorder.new_file(DeviceName("a"))
        recorder.append(block_of(random_samples(10), device="a"))
    assert [message for message in caplog.messages if message.startswith("sidecar_not_written")]
    assert [path.stat().st_size for path in recordings(tmp_path, "a")] == [170, 170]
    assert recover(tmp_path).closed == 1
    assert all(sidecar.closed for sidecar in sidecars(tmp_path, "a"))


def test_failed_thread_is_reported_until_its_work_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    worker = DiskWorker(tmp_path, sync_interval_s=0.01, keep_free_bytes=0, restart_s=0.01)
    file = RecordingFile(folder, 0.0, Sidecar(device="d", started=utc_text(0.0)), max_bytes=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: 1 / 0)
        worker.add(file)
        until(lambda: "ZeroDivisionError" in worker.supervise())
        assert not worker.flush(0.1)
    until(lambda: worker.supervise() == "")
    file.write(random_samples(2).tobytes())
    assert worker.flush(10)
    worker.close_file(file, file.described(end=EndReason.STOP))
    assert worker.stop(10)
    assert sidecars(tmp_path)[0].closed
    assert any(record.exc_info for record in caplog.records if "recording_thread_failed" in record.getMessage())


def test_thread_that_cannot_be_started_is_reported_and_started_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with recorder_in(tmp_path) as recorder:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            assert recorder.append(block_of(random_samples(10))) == 10
            assert "can't start new thread" in recorder.supervise()
        recorder.supervise()
        assert recorder.flush()
        assert recorder.supervise() == ""


def test_disk_that_does_not_answer_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    def wait(fd: int) -> None:
        del fd
        answers.wait(PATIENCE_S)

    folder = tmp_path / "d"
    folder.mkdir()
    worker = DiskWorker(tmp_path, sync_interval_s=0.01, keep_free_bytes=0, max_round_s=0.02)
    file = RecordingFile(folder, 0.0, Sidecar(device="d", started=utc_text(0.0)), max_bytes=1000)
    file.write(random_samples(2).tobytes())
    with monkeypatch.context() as patch:
        for name in ("fdatasync", "fsync"):
            patch.setattr(os, name, wait, raising=False)
        worker.add(file)
        until(lambda: "the disk has not answered" in worker.supervise())
        answers.set()
    worker.close_file(file, file.described(end=EndReason.STOP))
    assert worker.stop(10)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
