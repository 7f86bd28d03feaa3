from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.recording.daemon_id import DAEMON_ID_NAME, daemon_id
from service.recording.upload_journal import Upload, UploadJournal
from stinger.errors import FileError
from stinger.storage_url import parse_storage_url

URL = parse_storage_url("s3://bucket/hall")


def test_uploads_are_known_after_a_restart(tmp_path: Path) -> None:
    UploadJournal(tmp_path / "j", URL).add("a/1.bin", Upload(17, 5))
    journal = UploadJournal(tmp_path / "j", URL)
    assert journal.find("a/1.bin") == Upload(17, 5)
    assert journal.find("a/2.bin") is None


def test_the_journal_of_another_folder_counts_as_empty_and_is_replaced(tmp_path: Path) -> None:
    UploadJournal(tmp_path / "j", URL).add("a/1.bin", Upload(17, 5))
    other = parse_storage_url("s3://bucket/other")
    journal = UploadJournal(tmp_path / "j", other)
    assert journal.find("a/1.bin") is None
    journal.add("a/2.bin", Upload(17, 5))
    assert UploadJournal(tmp_path / "j", other).find("a/2.bin") is not None
    assert UploadJournal(tmp_path / "j", URL).find("a/1.bin") is None


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_a_line_that_a_kill_left_incomplete_is_dropped_and_does_not_damage_the_next(tmp_path: Path, cut: int) -> None:
    journal = UploadJournal(tmp_path / "j", URL)
    journal.add("a/1.bin", Upload(17, 5))
    journal.add("a/2.bin", Upload(34, 6))
    (tmp_path / "j").write_bytes((tmp_path / "j").read_bytes()[:-cut])
    UploadJournal(tmp_path / "j", URL).add("a/3.bin", Upload(51, 7))
    after = UploadJournal(tmp_path / "j", URL)
    assert after.find("a/1.bin") == Upload(17, 5)
    assert after.find("a/3.bin") == Upload(51, 7)


def test_recordings_that_were_deleted_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.bin").touch()
    journal = UploadJournal(tmp_path / "j", URL)
    journal.add("a/1.bin", Upload(17, 5))
    journal.add("a/2.bin", Upload(17, 5))
    journal.drop_deleted(tmp_path)
    after = UploadJournal(tmp_path / "j", URL)
    assert after.find("a/1.bin") is not None
    assert after.find("a/2.bin") is None


@given(st.binary(max_size=200))
def test_a_line_is_added_whatever_the_journal_contains(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "j")
        path.write_bytes(b'{"url": "s3://bucket/hall"}\n' + content)
        UploadJournal(path, URL).add("a/1.bin", Upload(1, 2))
        assert UploadJournal(path, URL).find("a/1.bin") == Upload(1, 2)


def test_a_daemon_keeps_its_id(tmp_path: Path) -> None:
    made = daemon_id(tmp_path)
    assert daemon_id(tmp_path) == made


def test_two_data_folders_have_different_ids(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert daemon_id(tmp_path / "a") != daemon_id(tmp_path / "b")


@pytest.mark.parametrize("content", ["", "../other", "a/b", "a b", "x" * 200])
def test_a_damaged_id_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / DAEMON_ID_NAME).write_text(content)
    with pytest.raises(FileError, match="does not hold the id of a daemon"):
        daemon_id(tmp_path)
