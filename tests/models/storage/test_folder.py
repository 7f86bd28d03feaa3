from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from models.storage.folder import NotThereError, StorageFolder, TakenError
from stinger.errors import FileError, InputError, StingerError, UnavailableError
from stinger.storage_url import StorageUrl, parse_storage_url


def test_what_is_written_is_read_and_listed(any_storage: StorageUrl) -> None:
    folder = StorageFolder(any_storage)
    folder.write("a/b.json", b"hello")
    folder.write("c.bin", b"123")
    assert folder.read("a/b.json") == b"hello"
    assert [(one.name, one.size) for one in folder.list()] == [("a/b.json", 5), ("c.bin", 3)]
    assert [one.name for one in folder.below("a").list()] == ["b.json"]


def test_a_folder_that_does_not_exist_is_empty(any_storage: StorageUrl) -> None:
    assert StorageFolder(any_storage).list() == []
    assert StorageFolder(any_storage).list("below") == []
    assert StorageFolder(any_storage).find("x") is None


def test_reading_a_file_that_is_missing_names_its_url(any_storage: StorageUrl) -> None:
    with pytest.raises(NotThereError, match=f"^{any_storage}/x.bin: there is no such file or folder$"):
        StorageFolder(any_storage).read("x.bin")


def test_new_content_has_another_version(any_storage: StorageUrl) -> None:
    folder = StorageFolder(any_storage)
    folder.write("a", b"1")
    before = folder.find("a")
    folder.write("a", b"2")
    assert before is not None
    assert before.version
    assert folder.find("a") != before


def test_a_file_is_uploaded_and_downloaded_unchanged(any_storage: StorageUrl, tmp_path: Path) -> None:
    content = os.urandom(200_000)
    (tmp_path / "out").write_bytes(content)
    folder = StorageFolder(any_storage)
    folder.upload(tmp_path / "out", "a/b.bin")
    folder.download("a/b.bin", tmp_path / "in")
    assert (tmp_path / "in").read_bytes() == content
    assert [one.name for one in folder.list()] == ["a/b.bin"]


def test_only_the_first_creates_a_file(any_storage: StorageUrl) -> None:
    folder = StorageFolder(any_storage)
    folder.create("n/1", b"first")
    with pytest.raises(TakenError, match="n/1: exists already"):
        folder.create("n/1", b"second")
    assert folder.read("n/1") == b"first"


def test_nothing_is_written_where_a_folder_is_not_mounted(tmp_path: Path) -> None:
    folder = StorageFolder(parse_storage_url(f"file://{tmp_path}/mnt/hall"))
    expected = r"/mnt/hall: there is no such folder: mount it, or create it$"
    with pytest.raises(NotThereError, match=expected):
        folder.write("a", b"1")
    with pytest.raises(NotThereError, match=expected):
        folder.below("d").create("a", b"1")
    assert list(tmp_path.iterdir()) == []


def test_of_many_that_create_a_file_at_once_one_succeeds(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    folder = StorageFolder(parse_storage_url(f"file://{tmp_path}/m"))
    created: list[bytes] = []

    def create(content: bytes) -> None:
        for _ in range(20):
            try:
                folder.create("n", content)
            except TakenError:
                continue
            created.append(content)

    threads = [threading.Thread(target=create, args=(str(n).encode(),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(created) == 1
    assert folder.read("n") == created[0]


def test_names_that_would_change_a_terminal_are_left_out() -> None:
    folder = StorageFolder(parse_storage_url("memory://names/hall"))
    folder.write("a\x1b[2J/b.bin", b"1")
    folder.write("a/b.bin", b"1")
    assert [one.name for one in folder.list()] == ["a/b.bin"]


def test_deleting_a_file_twice_is_no_error(any_storage: StorageUrl) -> None:
    folder = StorageFolder(any_storage)
    folder.write("a", b"1")
    folder.delete("a")
    folder.delete("a")
    assert folder.list() == []


def test_an_upload_that_fails_leaves_no_file_in_a_mounted_folder(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    folder = StorageFolder(parse_storage_url(f"file://{tmp_path}/m"))
    with pytest.raises(NotThereError):
        folder.upload(tmp_path / "missing", "a.bin")
    assert [path for path in (tmp_path / "m").rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_does_not_exist_is_named() -> None:
    folder = StorageFolder(parse_storage_url("s3://no-such-bucket/hall"))
    for action in (folder.list, lambda: folder.write("a", b"1")):
        with pytest.raises(NotThereError, match=r"s3://no-such-bucket/hall.*: there is no such bucket"):
            action()


def test_missing_credentials_are_one_line_that_says_what_to_set(
    s3_url: StorageUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(FileError, match=f"^{s3_url}: there are no credentials: set AWS_ACCESS_KEY_ID"):
        StorageFolder(s3_url).list()


def test_a_storage_that_does_not_answer_is_unavailable(s3_url: StorageUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match=r"^s3://\S+: the storage cannot be reached: ") as caught:
        StorageFolder(s3_url).list()
    assert "prefix" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["gs", "no-such-scheme"])
def test_a_storage_without_its_library_is_an_input_error(scheme: str) -> None:
    with pytest.raises(InputError, match=f"^{scheme}://bucket/hall: "):
        StorageFolder(parse_storage_url(f"{scheme}://bucket/hall"))


@pytest.mark.usefixtures("s3")
def test_every_error_is_one_line() -> None:
    with pytest.raises(StingerError) as caught:
        StorageFolder(parse_storage_url("s3://no_such_bucket/x")).list()
    assert "\n" not in str(caught.value)
