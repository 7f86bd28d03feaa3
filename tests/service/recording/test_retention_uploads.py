"""Recordings that are not yet in shared storage are kept, unless the disk is full."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.registry import Registry
from service.config.config import RecorderConfig
from service.recording.retention import Limits, Pruned, Retention, limits_of
from service.recording.upload_journal import JOURNAL_NAME, Upload, UploadJournal, upload_name
from stinger.quantities import parse_size
from stinger.storage_url import parse_storage_url
from tests.helpers.recordings import NOW_S, write_old_recording

URL = parse_storage_url("s3://bucket/hall")


def prune(tmp_path: Path, limits: Limits) -> Pruned:
    uploads = UploadJournal(tmp_path / JOURNAL_NAME, URL)
    return Retention(tmp_path / "recordings", Registry(tmp_path / "registry"), uploads=uploads).prune(
        limits, now_s=NOW_S
    )


def three_recordings(tmp_path: Path) -> list[Path]:
    return [write_old_recording(tmp_path / "recordings", "a", days) for days in (3, 2, 1)]


def note_upload(tmp_path: Path, path: Path) -> None:
    UploadJournal(tmp_path / JOURNAL_NAME, URL).add(upload_name(path), Upload(path.stat().st_size, 1))


@pytest.mark.parametrize("limits", [Limits(keep_s=60), Limits(keep_bytes=1)], ids=["age", "size"])
def test_only_uploaded_recordings_are_deleted(tmp_path: Path, limits: Limits) -> None:
    first, second, newest = three_recordings(tmp_path)
    note_upload(tmp_path, second)
    pruned = prune(tmp_path, limits)
    assert [recording.path for recording in pruned.deleted] == [second]
    assert [recording.path for recording in pruned.kept_for_upload] == [first]
    assert pruned.deleted_not_uploaded == 0
    assert newest.exists()


def test_what_is_uploaded_later_is_deleted_later(tmp_path: Path) -> None:
    first, _, _ = three_recordings(tmp_path)
    uploads = UploadJournal(tmp_path / JOURNAL_NAME, URL)
    retention = Retention(tmp_path / "recordings", Registry(tmp_path / "registry"), uploads=uploads)
    assert retention.prune(Limits(keep_s=60), now_s=NOW_S).deleted == ()
    note_upload(tmp_path, first)
    assert [one.path for one in retention.prune(Limits(keep_s=60), now_s=NOW_S).deleted] == [first]


def test_a_full_disk_lets_recordings_be_deleted_before_their_upload_and_they_are_counted(tmp_path: Path) -> None:
    first, second, _ = three_recordings(tmp_path)
    note_upload(tmp_path, second)
    pruned = prune(tmp_path, limits_of(RecorderConfig(keep_size=parse_size("1B")), disk_full=True))
    assert [recording.path for recording in pruned.deleted] == [first, second]
    assert pruned.deleted_not_uploaded == 1


def test_without_uploads_nothing_is_kept_for_them(tmp_path: Path) -> None:
    first, second, _ = three_recordings(tmp_path)
    pruned = Retention(tmp_path / "recordings", Registry(tmp_path / "registry")).prune(Limits(keep_s=60), now_s=NOW_S)
    assert [recording.path for recording in pruned.deleted] == [first, second]
    assert (pruned.kept_for_upload, pruned.deleted_not_uploaded) == ((), 0)
