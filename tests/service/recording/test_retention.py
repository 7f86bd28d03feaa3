from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from models.factory import factory_model
from models.registry import Registry
from service.recording.recorder import Recorder
from service.recording.recovery import recover
from service.recording.retention import Limits, Pruned, Retention
from service.recording.store import read_store
from stinger.device_name import DeviceName
from stinger.logs.marked import sidecar_path
from tests.helpers.patience import PATIENCE_S
from tests.helpers.recordings import DAY_S, NOW_S, write_old_recording
from tests.helpers.samples import random_samples
from tests.service.blocks import block_of

MONTH = Limits(keep_s=30 * DAY_S)


def prune(folder: Path, limits: Limits, **options: Any) -> Pruned:
    return Retention(folder, Registry(folder.parent / "registry")).prune(limits, now_s=NOW_S, **options)


def left(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.bin"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


def keep_model(folder: Path, report: dict[str, Any]) -> str:
    return Registry(folder.parent / "registry").add("m", factory_model().data, report).id


def test_too_old_recordings_are_deleted_with_their_sidecars(folder: Path) -> None:
    old = write_old_recording(folder, "a", 31)
    young = write_old_recording(folder, "a", 29)
    pruned = prune(folder, MONTH)
    assert [recording.path for recording in pruned.deleted] == [old]
    assert sorted(folder.rglob("*.*")) == sorted([young, sidecar_path(young)])
    assert (pruned.left, pruned.problems) == (1, ())


def test_oldest_recordings_are_deleted_until_the_rest_fits(folder: Path) -> None:
    paths = [write_old_recording(folder, "a" if days % 2 else "b", days, samples=1000) for days in (6, 5, 4, 3, 2, 1)]
    total = read_store(folder).bytes
    pruned = prune(folder, Limits(keep_bytes=total - 20_000))
    assert left(folder) == sorted(paths[2:])
    assert pruned.deleted_bytes == total - pruned.left_bytes
    assert pruned.left_bytes == read_store(folder).bytes <= total - 20_000


def test_recordings_that_just_fit_are_all_kept(folder: Path) -> None:
    write_old_recording(folder, "a", 2)
    write_old_recording(folder, "a", 1)
    assert prune(folder, Limits(keep_bytes=read_store(folder).bytes)).deleted == ()


def test_nothing_is_deleted_without_a_limit(folder: Path) -> None:
    write_old_recording(folder, "a", 5000)
    write_old_recording(folder, "a", 4000)
    damaged = write_old_recording(folder, "b", 5000)
    sidecar_path(damaged).write_bytes(b"{")
    pruned = prune(folder, Limits())
    assert pruned.problems == (), "nobody asked"
    assert (pruned.deleted, pruned.left, pruned.left_bytes) == ((), 3, read_store(folder).bytes)


@pytest.mark.parametrize("limits", [Limits(keep_s=1), Limits(keep_bytes=1)], ids=["age", "size"])
def test_newest_recording_of_each_device_is_kept(folder: Path, limits: Limits) -> None:
    newest = [write_old_recording(folder, device, days) for device, days in (("a", 100), ("b", 200), ("c", 300))]
    for device in "abc":
        write_old_recording(folder, device, 400)
    prune(folder, limits)
    assert left(folder) == sorted(newest)


def test_empty_recording_does_not_count_as_the_newest(folder: Path) -> None:
    real = write_old_recording(folder, "a", 50)
    write_old_recording(folder, "a", 40, samples=0)
    prune(folder, MONTH)
    assert real in left(folder)


def test_recording_with_an_open_sidecar_is_kept(folder: Path) -> None:
    opened = write_old_recording(folder, "a", 50, closed=False)
    newest = write_old_recording(folder, "a", 40)
    prune(folder, MONTH)
    assert left(folder) == [opened, newest]


def test_recording_without_a_sidecar_is_kept_as_it_may_have_just_begun(folder: Path) -> None:
    begun = write_old_recording(folder, "a", 50, sidecar=False)
    write_old_recording(folder, "a", 40)
    prune(folder, MONTH)
    assert begun in left(folder)


def test_recording_that_is_being_written_is_kept_and_complete_afterwards(folder: Path) -> None:
    samples = random_samples(500)
    recorder = Recorder(folder, sync_interval_s=60, keep_free_bytes=0)
    recorder.append(block_of(samples[:200]))
    assert recorder.flush()
    write_old_recording(folder, "d", 3)
    pruned = Retention(folder, Registry(folder / "none")).prune(Limits(keep_bytes=1))
    recorder.append(block_of(samples[200:]))
    path = recorder.current(DeviceName("d"))
    assert recorder.close()
    assert path is not None
    assert path not in [recording.path for recording in pruned.deleted]
    assert path.read_bytes() == samples.tobytes()


def test_recording_with_an_unreadable_sidecar_is_kept_and_reported(folder: Path) -> None:
    damaged = write_old_recording(folder, "a", 50)
    sidecar_path(damaged).write_bytes(b"{")
    write_old_recording(folder, "a", 40)
    pruned = prune(folder, MONTH)
    assert damaged in left(folder)
    assert [problem for problem in pruned.problems if str(sidecar_path(damaged)) in problem] == list(pruned.problems)
    assert len(pruned.problems) == 1


@pytest.mark.parametrize("place", ["report by hash", "by its first second", "report by path", "session name"])
def test_recording_that_a_model_refers_to_is_kept(folder: Path, place: str) -> None:
    referenced = write_old_recording(folder, "a", 60, samples=150)
    other = write_old_recording(folder, "a", 50)
    write_old_recording(folder, "a", 1)
    digest = hashlib.sha256(referenced.read_bytes()).hexdigest()
    reports: dict[str, dict[str, Any]] = {
        "report by hash": {"training": {"inputs_sha256": [digest]}},
        "by its first second": {"beginnings": [hashlib.sha256(referenced.read_bytes()[:1700]).hexdigest()]},
        "report by path": {"held_out": [{"path": str(referenced)}]},
        "session name": {"sessions": [f"{referenced.stem}#2"]},
    }
    keep_model(folder, reports[place])
    pruned = prune(folder, MONTH)
    assert referenced in left(folder)
    assert other not in left(folder)
    assert [recording.path for recording in pruned.kept_for_models] == [referenced]


def test_recording_that_a_model_refers_to_is_deleted_on_request(folder: Path) -> None:
    referenced = write_old_recording(folder, "a", 60)
    write_old_recording(folder, "a", 1)
    keep_model(folder, {"path": str(referenced)})
    prune(folder, Limits(keep_s=30 * DAY_S, keep_trained=False))
    assert referenced not in left(folder)


def test_recording_that_only_a_deleted_model_referred_to_is_deleted(folder: Path) -> None:
    referenced = write_old_recording(folder, "a", 60)
    write_old_recording(folder, "a", 1)
    keep_model(folder, {"path": str(referenced)})
    registry = Registry(folder.parent / "registry")
    retention = Retention(folder, registry)
    assert retention.prune(MONTH, now_s=NOW_S).deleted == ()
    registry.prune(keep=0)
    assert [recording.path for recording in retention.prune(MONTH, now_s=NOW_S).deleted] == [referenced]


def test_newer_recordings_are_deleted_if_a_model_refers_to_the_oldest(folder: Path) -> None:
    referenced = write_old_recording(folder, "a", 60)
    second = write_old_recording(folder, "a", 50)
    third = write_old_recording(folder, "a", 40)
    newest = write_old_recording(folder, "a", 1)
    keep_model(folder, {"path": str(referenced)})
    each = read_store(folder).bytes // 4
    prune(folder, Limits(keep_bytes=3 * each + 100))
    assert second not in left(folder)
    assert left(folder) == [referenced, third, newest]


@pytest.mark.parametrize("damage", ["model.onnx", "report.json"])
def test_nothing_is_deleted_while_a_model_cannot_be_read(folder: Path, damage: str) -> None:
    write_old_recording(folder, "a", 60)
    write_old_recording(folder, "a", 1)
    version = keep_model(folder, {})
    path = folder.parent / "registry" / "versions" / version / damage
    path.write_bytes(b"\xff\x00")
    pruned = prune(folder, MONTH)
    assert len(left(folder)) == 2
    (problem,) = pruned.problems
    assert str(path) in problem
    assert "no recording is deleted" in problem


def test_dry_run_reports_the_same_and_deletes_nothing(folder: Path) -> None:
    write_old_recording(folder, "a", 60)
    write_old_recording(folder, "a", 1)
    before = sorted(folder.rglob("*"))
    tried = prune(folder, MONTH, dry_run=True)
    assert sorted(folder.rglob("*")) == before
    done = prune(folder, MONTH)
    assert tried == done
    assert len(done.deleted) == 1


def test_sidecar_left_by_killed_pruning_is_removed_by_the_next_run(folder: Path) -> None:
    half_gone = write_old_recording(folder, "a", 60)
    write_old_recording(folder, "a", 1)
    half_gone.unlink()
    prune(folder, MONTH)
    assert not sidecar_path(half_gone).exists()


def test_file_that_cannot_be_deleted_is_reported_and_the_others_are_deleted(folder: Path) -> None:
    stubborn = write_old_recording(folder, "a", 60)
    stubborn.unlink()
    stubborn.mkdir()  # no file, so that not even root can unlink it
    os.utime(stubborn, (NOW_S - 60 * DAY_S, NOW_S - 60 * DAY_S))
    gone = write_old_recording(folder, "b", 59)
    write_old_recording(folder, "a", 1)
    write_old_recording(folder, "b", 1)
    pruned = prune(folder, MONTH)
    assert [recording.path for recording in pruned.deleted] == [gone]
    assert sidecar_path(stubborn).exists()
    (problem,) = pruned.problems
    assert str(stubborn) in problem


def test_every_recording_is_complete_or_gone_after_pruning_was_killed(folder: Path) -> None:
    paths = [write_old_recording(folder, "a", 100 + number / 100) for number in range(400)]
    newest = write_old_recording(folder, "a", 1)
    whole = {path: path.read_bytes() for path in paths}
    command = (
        "import sys; from pathlib import Path; from models.registry import Registry; "
        "from service.recording.retention import Limits, Retention; print(flush=True); "
        "Retention(Path(sys.argv[1]), Registry(sys.argv[1] + '/none')).prune(Limits(keep_s=1))"
    )
    process = subprocess.Popen([sys.executable, "-c", command, str(folder)], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        deadline = time.monotonic() + PATIENCE_S
        while all(path.exists() for path in paths) and process.poll() is None:
            assert time.monotonic() < deadline
        process.kill()
    survivors = [path for path in paths if path.exists()]
    assert len(survivors) < len(paths)
    assert all(path.read_bytes() == whole[path] for path in survivors)
    assert all(sidecar_path(path).exists() for path in survivors)
    assert recover(folder).closed == 0
    prune(folder, MONTH)
    assert sorted(folder.rglob("*.*")) == sorted([newest, sidecar_path(newest)])


def test_stopped_pruning_deletes_nothing(folder: Path) -> None:
    write_old_recording(folder, "a", 60)
    write_old_recording(folder, "a", 1)
    retention = Retention(folder, Registry(folder / "none"))
    retention.stop()
    thread = threading.Thread(target=lambda: retention.prune(MONTH, now_s=NOW_S))
    thread.start()
    thread.join(PATIENCE_S)
    assert len(left(folder)) == 2


def test_missing_folder_has_no_recordings(folder: Path) -> None:
    assert prune(folder, MONTH) == Pruned()
