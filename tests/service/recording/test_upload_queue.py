from __future__ import annotations

from pathlib import Path
from time import monotonic_ns

import pytest

from models.storage.folder import StorageFolder
from service.recording.sidecar import RecordingNote, read_sidecar
from service.recording.upload_journal import JOURNAL_NAME, UploadJournal, upload_name
from service.recording.upload_queue import UploadQueue
from stinger.errors import FileError, StingerError
from stinger.logs.marked import sidecar_path
from stinger.storage_url import StorageUrl, parse_storage_url
from tests.helpers.recordings import write_old_recording


@pytest.fixture
def url() -> StorageUrl:
    return parse_storage_url(f"memory://queue-{monotonic_ns()}/hall")


def queue_of(tmp_path: Path, url: StorageUrl, *, clock: list[float] | None = None) -> UploadQueue:
    journal = UploadJournal(tmp_path / JOURNAL_NAME, url)
    now_s = clock or [0.0]
    return UploadQueue(tmp_path / "recordings", StorageFolder(url), journal, monotonic_s=lambda: now_s[0])


def upload_all(queue: UploadQueue) -> None:
    assert queue.look() == ()
    while queue.upload_next():
        pass


def stored_names(url: StorageUrl) -> list[str]:
    return [one.name for one in StorageFolder(url).list()]


def close(path: Path, *, note: str = "") -> None:
    """Write the sidecar of the recording ``path`` again, as that of a closed one."""
    text = sidecar_path(path).read_text().replace('"closed": false', '"closed": true')
    if note:
        text = text.replace('"notes": []', f'"notes": [{{"time": "", "text": "{note}"}}]')
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(text)
    unfinished.replace(sidecar_path(path))


def test_closed_recordings_are_uploaded_with_their_sidecars(tmp_path: Path, url: StorageUrl) -> None:
    paths = [
        write_old_recording(tmp_path / "recordings", device, age) for device, age in (("a", 3), ("a", 2), ("b", 1))
    ]
    queue = queue_of(tmp_path, url)
    upload_all(queue)
    names = [upload_name(path) for path in paths]
    assert stored_names(url) == sorted([*names, *(name.replace(".bin", ".json") for name in names)])
    folder = StorageFolder(url)
    assert [folder.read(name) for name in names] == [path.read_bytes() for path in paths]
    assert folder.read(names[0].replace(".bin", ".json")) == sidecar_path(paths[0]).read_bytes()
    assert (queue.totals().uploaded, queue.totals().uploaded_bytes, queue.totals().waiting) == (3, 3 * 1700, 0)


def test_a_recording_is_uploaded_once_it_is_closed(tmp_path: Path, url: StorageUrl) -> None:
    path = write_old_recording(tmp_path / "recordings", "a", 1, closed=False)
    queue = queue_of(tmp_path, url)
    upload_all(queue)
    assert stored_names(url) == []
    close(path)
    upload_all(queue)
    assert len(stored_names(url)) == 2


def test_a_recording_without_a_sidecar_waits_for_it(tmp_path: Path, url: StorageUrl) -> None:
    write_old_recording(tmp_path / "recordings", "a", 1, sidecar=False)
    queue = queue_of(tmp_path, url)
    upload_all(queue)
    assert stored_names(url) == []


def test_a_sidecar_that_is_changed_later_is_uploaded_again_without_the_samples(tmp_path: Path, url: StorageUrl) -> None:
    path = write_old_recording(tmp_path / "recordings", "a", 1)
    queue = queue_of(tmp_path, url)
    upload_all(queue)
    close(path, note="left hand")
    upload_all(queue)
    StorageFolder(url).download(upload_name(path).replace(".bin", ".json"), tmp_path / "sidecar")
    assert read_sidecar(tmp_path / "sidecar").notes == (RecordingNote("", "left hand"),)
    assert (queue.totals().uploaded, queue.totals().uploaded_bytes) == (1, 1700)


def test_after_a_restart_only_the_rest_is_uploaded(tmp_path: Path, url: StorageUrl) -> None:
    write_old_recording(tmp_path / "recordings", "a", 2)
    upload_all(queue_of(tmp_path, url))
    write_old_recording(tmp_path / "recordings", "a", 1)
    restarted = queue_of(tmp_path, url)
    upload_all(restarted)
    assert restarted.totals().uploaded == 1
    assert len(stored_names(url)) == 4


def test_after_a_kill_between_upload_and_journal_nothing_is_missing_or_sent_twice(
    tmp_path: Path, url: StorageUrl
) -> None:
    path = write_old_recording(tmp_path / "recordings", "a", 2)
    StorageFolder(url).upload(path, upload_name(path))
    restarted = queue_of(tmp_path, url)
    upload_all(restarted)
    assert len(stored_names(url)) == 2
    assert restarted.totals().uploaded_bytes == 0
    assert UploadJournal(tmp_path / JOURNAL_NAME, url).find(upload_name(path)) is not None


def test_a_recording_that_was_deleted_in_shared_storage_is_not_uploaded_again(tmp_path: Path, url: StorageUrl) -> None:
    path = write_old_recording(tmp_path / "recordings", "a", 2)
    upload_all(queue_of(tmp_path, url))
    StorageFolder(url).delete(upload_name(path))
    upload_all(queue_of(tmp_path, url))
    assert upload_name(path) not in stored_names(url)


def test_another_recording_of_the_same_name_is_not_overwritten(tmp_path: Path, url: StorageUrl) -> None:
    first = write_old_recording(tmp_path / "recordings", "a", 2)
    write_old_recording(tmp_path / "recordings", "a", 1)
    StorageFolder(url).write(upload_name(first), b"of another daemon")
    queue = queue_of(tmp_path, url)
    queue.look()
    with pytest.raises(FileError, match=r"is another recording, of 17 bytes instead of 1,700: .*daemon-id"):
        queue.upload_next()
    assert queue.upload_next()
    assert StorageFolder(url).read(upload_name(first)) == b"of another daemon"
    assert (queue.totals().uploaded, queue.totals().failures, queue.totals().waiting) == (1, 1, 1)


def test_what_could_not_be_uploaded_waits_and_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "mounted").write_text("a file where the folder should be")
    clock = [100.0]
    queue = queue_of(tmp_path, parse_storage_url(f"file://{tmp_path}/mounted"), clock=clock)
    write_old_recording(tmp_path / "recordings", "a", 2)
    queue.look()
    for _ in range(2):
        with pytest.raises(StingerError):
            queue.upload_next()
    clock[0] += 30
    totals = queue.totals()
    assert (totals.failures, totals.waiting, totals.waiting_bytes, totals.waiting_s) == (2, 1, 1700, 30.0)
    (tmp_path / "mounted").unlink()
    (tmp_path / "mounted").mkdir()
    assert queue.upload_next()
    assert queue.totals().waiting_s == 0.0


def test_a_recording_that_is_deleted_before_its_upload_is_dropped(tmp_path: Path, url: StorageUrl) -> None:
    path = write_old_recording(tmp_path / "recordings", "a", 2)
    queue = queue_of(tmp_path, url)
    queue.look()
    path.unlink()
    assert queue.upload_next()
    assert not queue.upload_next()
    assert queue.totals().waiting == 0


def test_a_damaged_sidecar_is_reported_and_the_others_are_uploaded(tmp_path: Path, url: StorageUrl) -> None:
    damaged = write_old_recording(tmp_path / "recordings", "a", 2)
    sidecar_path(damaged).write_text("{")
    write_old_recording(tmp_path / "recordings", "a", 1)
    queue = queue_of(tmp_path, url)
    (problem,) = queue.look()
    assert problem == f"{sidecar_path(damaged)}: is not JSON"
    assert queue.upload_next()
    assert not queue.upload_next()


def test_without_recordings_there_is_nothing_to_upload(tmp_path: Path, url: StorageUrl) -> None:
    upload_all(queue_of(tmp_path, url))
    assert not (tmp_path / JOURNAL_NAME).exists()
