"""Local copies of files in shared storage, so that each is downloaded once.

Copies used longest ago make room for new ones.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Final
from urllib.parse import quote

from platformdirs import user_cache_path

from models.storage.folder import StorageFolder, StoredObject
from models.task_runner import ProgressBar
from stinger.errors import FileError, StingerError
from stinger.files import make_folder, os_errors, read_bytes, replace_path, write_bytes
from stinger.private_files import private_files
from stinger.storage_url import StorageUrl

DOWNLOADS_AT_ONCE: Final = 8
CACHE_MAX_BYTES: Final = 20_000_000_000
"""Size of all copies at which those used longest ago are deleted: 3,200 hours of recordings."""
IN_USE_S: Final = 86_400.0
"""A copy used within this time is never deleted: another process may be reading it."""
_KEPT: Final = " -_.=+~"
"""Characters, besides letters and digits, that the names of copies keep; others are escaped as in URLs."""
_MAX_BYTES: Final = 10_000
_UNFINISHED: Final = ".unfinished"


def cache_folder() -> Path:
    """Return the folder of the copies: ``storage`` in the user's cache folder.

    It need not exist, and may be deleted.
    """
    return user_cache_path("stinger-ml", appauthor=False) / "storage"


class DownloadCache:
    """Copies in ``folder``, each below the path of its URL. A copy is used as long as size and version are the same.

    After a download, copies that were not used for ``in_use_s`` are deleted, those used longest ago first, until all
    copies together have at most ``max_bytes``.
    """

    def __init__(
        self, folder: Path | None = None, *, max_bytes: int = CACHE_MAX_BYTES, in_use_s: float = IN_USE_S
    ) -> None:
        self._folder = cache_folder() if folder is None else folder
        self._max_bytes = max_bytes
        self._in_use_s = in_use_s

    def path_of(self, url: StorageUrl) -> Path:
        """Return where the copy of the file ``url`` is or will be."""
        parts = [part for part in url.path.split("/") if part]
        return self._folder.joinpath(url.scheme, *(_safe(part) for part in parts))

    def fetch(self, folder: StorageFolder, objects: Sequence[StoredObject], bar: ProgressBar) -> list[Path]:
        """Return the copies of ``objects`` in ``folder``; download those that are missing or out of date.

        Raises :class:`StingerError` at the first that cannot be downloaded, or whose size differs from the listed one.
        """
        paths = [self.path_of(folder.url / one.name) for one in objects]
        missing = [(one, path) for one, path in zip(objects, paths, strict=True) if not _is_current(path, one)]
        if missing:
            with private_files(self._folder), bar("Downloading", sum(one.size for one, _ in missing)) as progress:
                _download_all(folder, missing, progress)
        for path in paths:
            with suppress(OSError):  # another process may have deleted the folder
                os.utime(_version_file(path))
        if missing:
            self._delete_oldest(frozenset(paths))
        return paths

    def _delete_oldest(self, needed: frozenset[Path]) -> None:
        """Delete copies that are not ``needed``, and what downloads that were killed have left behind."""
        now_s = time.time()
        copies: list[tuple[float, int, Path]] = []
        for path in self._folder.rglob("*"):
            with suppress(OSError):
                if path.name.endswith(_UNFINISHED) and now_s - path.stat().st_mtime > self._in_use_s:
                    path.unlink()
                elif not path.name.startswith(".") and path.is_file():
                    copies.append((_used_s(path), path.stat().st_size, path))
        size = sum(bytes_ for _, bytes_, _ in copies)
        for used_s, bytes_, path in sorted(copies):
            if size <= self._max_bytes or now_s - used_s < self._in_use_s:
                return
            if path not in needed:
                with suppress(OSError):
                    _version_file(path).unlink(missing_ok=True)
                    path.unlink()
                    size -= bytes_


def _download_all(
    folder: StorageFolder, missing: Sequence[tuple[StoredObject, Path]], progress: Callable[[int], object]
) -> None:
    pool = ThreadPoolExecutor(min(DOWNLOADS_AT_ONCE, len(missing)))
    try:
        futures = [pool.submit(_download, folder, one, path) for one, path in missing]
        for future, (one, _) in zip(futures, missing, strict=True):
            future.result()
            progress(one.size)
    finally:
        pool.shutdown(cancel_futures=True)


def _download(folder: StorageFolder, one: StoredObject, path: Path) -> None:
    make_folder(path.parent)
    version = _version_file(path)
    unfinished = path.with_name(f".{path.name}.{token_hex(4)}{_UNFINISHED}")
    try:
        folder.download(one.name, unfinished)
        with os_errors(path):
            size = unfinished.stat().st_size
            if size != one.size:
                raise FileError(
                    (folder.url / one.name).text,
                    f"has {size:,} bytes instead of the {one.size:,} that were listed: it was changed meanwhile, or is "
                    "incomplete; try again",
                )
            version.unlink(missing_ok=True)
            replace_path(unfinished, path)
        write_bytes(version, _version_text(one), lasting=False)
    finally:
        unfinished.unlink(missing_ok=True)


def _is_current(path: Path, one: StoredObject) -> bool:
    try:
        same_size = path.stat().st_size == one.size
        return same_size and read_bytes(_version_file(path), at_most=_MAX_BYTES) == _version_text(one)
    except (OSError, StingerError):
        return False


def _used_s(path: Path) -> float:
    """Return when a copy was used last, in Unix time: the time of its version file, which each use sets."""
    version = _version_file(path)
    return (version if version.exists() else path).stat().st_mtime


def _version_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.version")


def _version_text(one: StoredObject) -> bytes:
    return json.dumps([one.size, one.version]).encode()


def _safe(part: str) -> str:
    return quote(part, safe=_KEPT) if part.strip(".") else quote(part, safe="").replace(".", "%2E")
