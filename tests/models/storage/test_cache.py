from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic_ns

import pytest

from models.storage.cache import DownloadCache
from models.storage.folder import NotThereError, StorageFolder
from models.task_runner import no_progress_bar
from stinger.errors import FileError
from stinger.storage_url import parse_storage_url


class CountedDownloads(StorageFolder):
    """A folder that counts downloads."""

    count = 0

    def download(self, name: str, target: Path) -> None:
        self.count += 1
        super().download(name, target)


@pytest.fixture
def folder() -> CountedDownloads:
    return CountedDownloads(parse_storage_url(f"memory://cache-{monotonic_ns()}/hall"))


def test_each_file_is_downloaded_once(folder: CountedDownloads, tmp_path: Path) -> None:
    for number in range(20):
        folder.write(f"d/{number}.bin", str(number).encode())
    for _ in range(2):
        paths = DownloadCache(tmp_path).fetch(folder, folder.list(), no_progress_bar)
        assert sorted(path.read_text() for path in paths) == sorted(map(str, range(20)))
    assert folder.count == 20


def test_new_content_is_downloaded_again(folder: CountedDownloads, tmp_path: Path) -> None:
    cache = DownloadCache(tmp_path)
    for content in (b"1", b"2"):
        folder.write("a.bin", content)
        (path,) = cache.fetch(folder, folder.list(), no_progress_bar)
        assert path.read_bytes() == content


def test_a_copy_that_was_damaged_is_downloaded_again(folder: CountedDownloads, tmp_path: Path) -> None:
    folder.write("a.bin", b"123")
    cache = DownloadCache(tmp_path)
    (path,) = cache.fetch(folder, folder.list(), no_progress_bar)
    path.write_bytes(b"12")
    assert cache.fetch(folder, folder.list(), no_progress_bar)[0].read_bytes() == b"123"


def test_a_file_that_is_not_as_it_was_listed_is_refused_and_leaves_no_copy(
    folder: CountedDownloads, tmp_path: Path
) -> None:
    folder.write("a.bin", b"123")
    (listed,) = folder.list()
    with pytest.raises(FileError, match=r"a.bin: has 3 bytes instead of the 5 that were listed"):
        DownloadCache(tmp_path).fetch(folder, [replace(listed, size=5)], no_progress_bar)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_that_is_gone_is_named(folder: CountedDownloads, tmp_path: Path) -> None:
    folder.write("a.bin", b"123")
    listed = folder.list()
    folder.delete("a.bin")
    with pytest.raises(NotThereError, match=r"^memory://\S+/a.bin: there is no such file"):
        DownloadCache(tmp_path).fetch(folder, listed, no_progress_bar)


@pytest.mark.parametrize("name", ["../../outside.bin", "a/../../../outside.bin", "..", "a b/..c", "C:\\x", "é"])
def test_no_name_leads_out_of_the_cache(tmp_path: Path, name: str) -> None:
    url = parse_storage_url("s3://bucket/hall")
    path = DownloadCache(tmp_path / "cache").path_of(url / name)
    assert path.resolve().is_relative_to((tmp_path / "cache" / "s3" / "bucket").resolve())
    assert ".." not in path.parts


def test_different_names_have_different_copies(tmp_path: Path) -> None:
    url, cache = parse_storage_url("s3://bucket/hall"), DownloadCache(tmp_path)
    names = ["a", "A%", "a%25", "..", "%2E%2E", "a b", "a%20b"]
    assert len({cache.path_of(url / name) for name in names}) == len(names)


def test_progress_counts_bytes(folder: CountedDownloads, tmp_path: Path) -> None:
    folder.write("a.bin", b"123")
    folder.write("b.bin", b"1234567")
    steps: list[int] = []

    @contextmanager
    def bar(label: str, length: int) -> Iterator[Callable[[int], object]]:
        assert (label, length) == ("Downloading", 10)
        yield steps.append

    DownloadCache(tmp_path).fetch(folder, folder.list(), bar)
    assert sorted(steps) == [3, 7]


def cached(folder: CountedDownloads, cache: DownloadCache, name: str) -> Path:
    """Return the copy of the file ``name``, which has 10 bytes."""
    if folder.find(name) is None:
        folder.write(name, b"0123456789")
    return cache.fetch(folder, [one for one in folder.list() if one.name == name], no_progress_bar)[0]


def age(copy: Path, seconds: float) -> None:
    """Make a copy look as if it was used last ``seconds`` ago."""
    used_s = time.time() - seconds
    for path in (copy, copy.with_name(f".{copy.name}.version")):
        os.utime(path, (used_s, used_s))


def test_copies_used_longest_ago_make_room(folder: CountedDownloads, tmp_path: Path) -> None:
    cache = DownloadCache(tmp_path, max_bytes=20, in_use_s=100)
    oldest, older = cached(folder, cache, "a.bin"), cached(folder, cache, "b.bin")
    age(oldest, 300)
    age(older, 200)
    cached(folder, cache, "a.bin")  # used again
    newest = cached(folder, cache, "c.bin")
    assert [path.exists() for path in (oldest, older, newest)] == [True, False, True]
    assert not older.with_name(".b.bin.version").exists()


def test_copies_that_may_be_in_use_stay_though_there_are_too_many(folder: CountedDownloads, tmp_path: Path) -> None:
    cache = DownloadCache(tmp_path, max_bytes=5, in_use_s=1e6)
    copies = [cached(folder, cache, f"{number}.bin") for number in range(3)]
    assert all(path.exists() for path in copies)


def test_copies_that_are_fetched_together_stay_however_old(folder: CountedDownloads, tmp_path: Path) -> None:
    cache = DownloadCache(tmp_path, max_bytes=5, in_use_s=0)
    for number in range(3):
        folder.write(f"{number}.bin", b"0123456789")
    assert all(path.exists() for path in cache.fetch(folder, folder.list(), no_progress_bar))


def test_what_a_killed_download_left_is_deleted_later(folder: CountedDownloads, tmp_path: Path) -> None:
    left, fresh = tmp_path / ".a.bin.12345678.unfinished", tmp_path / ".b.bin.12345678.unfinished"
    left.write_bytes(b"01")
    fresh.write_bytes(b"01")
    os.utime(left, (0, 0))
    cached(folder, DownloadCache(tmp_path), "c.bin")
    assert [path.exists() for path in (left, fresh)] == [False, True]


class DownloadsTogether(StorageFolder):
    """A folder whose downloads end only when both threads have begun theirs."""

    both = threading.Barrier(2)

    def download(self, name: str, target: Path) -> None:
        super().download(name, target)
        self.both.wait(60)


def test_two_threads_may_download_the_same_file(tmp_path: Path) -> None:
    # Not in fsspec's memory: its readers of one file share a position in it.
    hall = tmp_path / "hall"
    hall.mkdir()
    folder = DownloadsTogether(parse_storage_url(f"file://{hall}"))
    folder.write("a.bin", b"0123456789")
    listed = folder.list()
    found: list[bytes] = []

    def fetch() -> None:
        (path,) = DownloadCache(tmp_path / "cache").fetch(folder, listed, no_progress_bar)
        found.append(path.read_bytes())

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [b"0123456789"] * 2
