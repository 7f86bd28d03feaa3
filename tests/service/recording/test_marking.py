"""Marking while a recorder writes, without one, and with sidecars that are missing or damaged."""

from __future__ import annotations

import os
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from service.base.note import parse_note
from service.recording.marking import change_marks, nearest_edge_ms
from service.recording.recorder import Recorder
from service.recording.recovery import recover
from service.recording.sidecar import read_sidecar
from service.recording.sidecar_lock import sidecar_lock
from service.recording.sidecar_writer import DiskErrors, SidecarWriter
from service.recording.store import read_store
from stinger.device_name import DeviceName
from stinger.errors import FileError, InputError
from stinger.logs import read_log, read_marked_log
from stinger.logs.marked import sidecar_path
from stinger.marks import Marks, make_marks
from stinger.paths import recordings_dir
from stinger.recording import split_recordings
from tests.helpers.recordings import NOW_S, write_recording
from tests.helpers.samples import random_samples, samples_at
from tests.service.blocks import block_of, blocks_of

MARKS = make_marks([(100, 900)], [1200])


def leave_out_part(path: Path) -> Marks:
    return change_marks(path, 0, lambda _: MARKS)


def test_marks_of_an_open_recording_stay_when_the_recorder_adds_notes_and_closes_it(tmp_path: Path) -> None:
    recorder = Recorder(recordings_dir(tmp_path), sync_interval_s=0.05, keep_free_bytes=0)
    recorder.append(block_of(random_samples(100)))
    assert recorder.flush(10)
    path = recorder.current(DeviceName("d"))
    assert path is not None
    leave_out_part(path)
    recorder.note(DeviceName("d"), parse_note("a note"))
    assert recorder.flush(10)
    assert [read_sidecar(sidecar_path(path)).marks, len(read_sidecar(sidecar_path(path)).notes)] == [(MARKS,), 1]
    assert recorder.close()
    sidecar = read_sidecar(sidecar_path(path))
    assert (sidecar.marks, sidecar.closed, sidecar.samples) == ((MARKS,), True, 100)


def test_no_mark_is_lost_while_the_recorder_writes_the_same_sidecar(tmp_path: Path) -> None:
    recorder = Recorder(recordings_dir(tmp_path), sync_interval_s=0.01, keep_free_bytes=0)
    recorder.append(block_of(random_samples(100)))
    assert recorder.flush(10)
    path = recorder.current(DeviceName("d"))
    assert path is not None

    def mark(numbers: range) -> None:
        for number in numbers:
            change_marks(path, 0, lambda marks, at=100 * number: marks.leave_out(at, at + 10))  # type: ignore[misc]

    threads = [threading.Thread(target=mark, args=(range(first, 40, 2),)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    notes = 0
    while any(thread.is_alive() for thread in threads):
        recorder.note(DeviceName("d"), parse_note(f"note {notes}"))
        assert recorder.flush(10)
        notes += 1
    for thread in threads:
        thread.join()
    assert recorder.close()
    sidecar = read_sidecar(sidecar_path(path))
    assert sidecar.marks == (make_marks([(100 * n, 100 * n + 10) for n in range(40)], []),)
    assert len(sidecar.notes) == notes > 0


def test_a_recording_without_sidecar_gets_one_and_recovery_keeps_its_marks(tmp_path: Path) -> None:
    folder = recordings_dir(tmp_path)
    path = write_recording(folder, "left", NOW_S, random_samples(200), sidecar=False)
    os.utime(path, (time.time() + 60, time.time() + 60))  # as if it were being written
    leave_out_part(path)
    (stored,) = read_store(folder).recordings
    assert (stored.device, stored.closed) == ("left", False)
    recover(folder)
    sidecar = read_sidecar(sidecar_path(path))
    assert (sidecar.marks, sidecar.closed, sidecar.samples) == ((MARKS,), True, 200)


def test_a_recording_that_was_copied_here_is_closed_by_marking_it(tmp_path: Path) -> None:
    folder = recordings_dir(tmp_path)
    path = write_recording(folder, "left", NOW_S, random_samples(200), sidecar=False)
    os.utime(path, (NOW_S, NOW_S))
    leave_out_part(path)
    (stored,) = read_store(folder).recordings
    assert stored.closed
    assert read_sidecar(sidecar_path(path)).samples == 200


def test_a_copy_that_was_marked_while_it_was_new_is_closed_by_the_next_mark(tmp_path: Path) -> None:
    folder = recordings_dir(tmp_path)
    path = write_recording(folder, "left", NOW_S, random_samples(200), sidecar=False)
    os.utime(path, (time.time() + 60, time.time() + 60))
    leave_out_part(path)
    assert not read_sidecar(sidecar_path(path)).closed
    os.utime(path, (NOW_S, NOW_S))
    leave_out_part(path)
    assert read_sidecar(sidecar_path(path)).closed


def test_a_recording_that_the_daemon_left_open_stays_open_when_it_is_marked(tmp_path: Path) -> None:
    path = write_recording(recordings_dir(tmp_path), "left", NOW_S, random_samples(200), closed=False)
    own = replace(read_sidecar(sidecar_path(path)), clock_zero_ms=round(1000 * NOW_S))
    sidecar_path(path).write_bytes(own.to_json())
    os.utime(path, (NOW_S, NOW_S))
    leave_out_part(path)
    assert not read_sidecar(sidecar_path(path)).closed


def test_marks_go_with_a_log_and_its_sidecar_to_another_folder(tmp_path: Path) -> None:
    path = write_recording(recordings_dir(tmp_path), "left", NOW_S, random_samples(200))
    leave_out_part(path)
    for file in (path, sidecar_path(path)):
        shutil.copy(file, tmp_path / f"mine{file.suffix}")
    assert read_marked_log(tmp_path / "mine.bin").marks == (MARKS,)


def test_a_mark_of_the_second_recording_of_a_log_leaves_the_first_alone(tmp_path: Path) -> None:
    log = tmp_path / "ml_log.bin"
    log.write_bytes(random_samples(200).tobytes() * 2)
    change_marks(log, 1, lambda marks: marks.mark_not_shot(100))
    assert [read_marked_log(log).marks_of(at) for at in range(2)] == [Marks(), Marks((), (100,))]
    change_marks(log, 1, lambda marks: marks.mark_shot(100))
    assert read_sidecar(log.with_suffix(".json")).marks == ()


@pytest.mark.parametrize("content", [b'{"shots": 3}', b"[1]", b"no json"])
def test_another_file_beside_a_log_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    log = tmp_path / "ml_log.bin"
    log.write_bytes(random_samples(200).tobytes())
    (tmp_path / "ml_log.json").write_bytes(content)
    with pytest.raises(FileError, match="is another file"):
        leave_out_part(log)
    assert (tmp_path / "ml_log.json").read_bytes() == content


def test_a_damaged_sidecar_and_a_deleted_recording_are_not_written(tmp_path: Path) -> None:
    path = write_recording(recordings_dir(tmp_path), "left", NOW_S, random_samples(200))
    sidecar_path(path).write_bytes(b'{"schema": 1, "device"')
    with pytest.raises(FileError, match="is not JSON"):
        leave_out_part(path)
    path.unlink()
    sidecar_path(path).unlink()
    with pytest.raises(FileError, match="No such file"):
        leave_out_part(path)
    assert not sidecar_path(path).exists()


def test_a_typed_time_belongs_to_the_nearest_edge() -> None:
    trigger = [0] * 100 + [1] * 5 + [0] * 100 + [1] * 5
    (recording,) = split_recordings(samples_at([500 + 10 * n for n in range(210)], trigger=trigger))
    assert [nearest_edge_ms(recording, at) for at in (990, 1400, 1700)] == [1000, 1000, 2050]
    with pytest.raises(InputError, match=r"the nearest is at 1 s"):
        nearest_edge_ms(recording, 200)


def test_many_recordings_that_close_at_once_keep_their_marks(tmp_path: Path) -> None:
    folder = recordings_dir(tmp_path)
    recorder = Recorder(folder, sync_interval_s=60.0, keep_free_bytes=0)
    for number in range(30):
        for block in blocks_of(random_samples(50), 50, device=f"d{number}"):
            recorder.append(block)
    assert recorder.flush(10)
    paths = sorted(folder.glob("*/*.bin"))
    for path in paths[::3]:
        leave_out_part(path)
    assert recorder.close()
    found = [read_sidecar(sidecar_path(path)) for path in paths]
    assert [one.marks for one in found[::3]] == [(MARKS,)] * 10
    assert sum(bool(one.marks) for one in found) == 10
    assert all(one.closed for one in found)
    assert len(read_log(paths[0]).samples) == 50


def test_a_recorder_whose_lock_another_process_holds_keeps_its_sidecars_until_it_is_free(tmp_path: Path) -> None:
    writer = SidecarWriter(DiskErrors(), lock_within_s=0.05)
    path = write_recording(recordings_dir(tmp_path), "left", NOW_S, random_samples(20))
    closed = replace(read_sidecar(sidecar_path(path)), end="stop again")
    writer.put(sidecar_path(path), closed)
    with sidecar_lock(path):
        writer.write()
        assert read_sidecar(sidecar_path(path)) != closed
    writer.write()
    assert read_sidecar(sidecar_path(path)) == closed
    assert not writer.waiting
