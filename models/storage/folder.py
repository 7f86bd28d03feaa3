"""A folder in shared storage, through fsspec."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from models.storage.storage_errors import NotThereError, TakenError, storage_errors
from stinger.errors import InputError
from stinger.packages import install_command
from stinger.storage_url import StorageUrl

_ATOMIC: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss", "memory"})
"""Schemes of storages where a file appears with its whole content or not at all. In others it is renamed when
complete."""
_UNFINISHED: Final = ".unfinished-"
_CONNECT_S: Final = 5
_READ_S: Final = 20
_ATTEMPTS: Final = 2
"""Attempts of the S3 library, which by default would try for minutes; callers decide whether to try again."""
_S3_OPTIONS: Final[Mapping[str, Any]] = {
    "config_kwargs": {
        "connect_timeout": _CONNECT_S,
        "read_timeout": _READ_S,
        "retries": {"max_attempts": _ATTEMPTS, "mode": "standard"},
    }
}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A file in a storage, as it was when it was listed."""

    name: str
    """Its path below the folder, with slashes."""
    size: int
    version: str
    """A text that differs once the content is replaced: an S3 server's ETag, or the time of the last change."""


class StorageFolder:
    """The folder at ``url``. Creating the object loads the storage's library, but connects to nothing.

    In an object store the folder need not exist. One that is mounted must exist before anything is written below it: if
    it is missing, it is probably not mounted, and files would be written to the local disk.

    Methods take the names of files below the folder, with slashes. They may be called from any thread, wait for the
    network, and raise the errors of :func:`~models.storage.storage_errors.storage_errors`. The constructor raises
    :class:`InputError` if the library for this scheme is not installed, or there is none. ``within`` is a folder above
    this one whose connections it uses.
    """

    def __init__(self, url: StorageUrl, *, within: StorageFolder | None = None) -> None:
        self.url = url
        self._files: Any = _file_system(url) if within is None else within._files  # noqa: SLF001 - of the same class
        self._root: str = self._files._strip_protocol(url.text)  # noqa: SLF001 - fsspec has no other way to resolve a URL
        self._top: str = self._root if within is None else within._top  # noqa: SLF001
        self._atomic = url.scheme in _ATOMIC

    def below(self, name: str) -> StorageFolder:
        """Return the folder ``name`` within this one, which uses the same connections."""
        return StorageFolder(self.url / name, within=self)

    def list(self, below: str = "") -> list[StoredObject]:
        """Return all files below the folder ``below``, sorted by name; none if it does not exist.

        Names that cannot be printed, which this project never writes, are left out.
        """
        top = self._path(below) if below else self._root
        with storage_errors(self.url / below if below else self.url):
            try:
                found = self._files.find(top, detail=True)
            except FileNotFoundError as error:
                if getattr(error.__cause__, "response", None) is not None:
                    raise  # a bucket that is missing, not a folder
                return []
        prefix = f"{self._root}/"
        return [
            StoredObject(path.removeprefix(prefix), int(info.get("size") or 0), _version(info))
            for path, info in sorted(found.items())
            if path.startswith(prefix) and info.get("type") == "file" and _UNFINISHED not in path and path.isprintable()
        ]

    def find(self, name: str) -> StoredObject | None:
        """Return the file ``name``; ``None`` if there is none."""
        with storage_errors(self.url / name):
            try:
                info = self._files.info(self._path(name))
            except FileNotFoundError:
                return None
        return StoredObject(name, int(info.get("size") or 0), _version(info)) if info.get("type") == "file" else None

    def read(self, name: str) -> bytes:
        """Return the content of the file ``name``. Raises :class:`NotThereError` if there is none."""
        with storage_errors(self.url / name):
            content: bytes = self._files.cat_file(self._path(name))
            return content

    def write(self, name: str, data: bytes) -> None:
        """Write the file ``name``, in place of one that is there. Others see the old content or all of the new one."""
        with storage_errors(self.url / name), self._completed(name) as path:
            self._files.pipe_file(path, data)

    def create(self, name: str, data: bytes) -> None:
        """Write the file ``name`` unless there is one. Of several that try, one succeeds.

        Raises :class:`TakenError` for the others.
        """
        with storage_errors(self.url / name):
            path = self._path(name)
            if self.url.scheme == "file":
                self._link_new(path, data)
            else:
                self._files.pipe_file(path, data, mode="create")

    def upload(self, source: Path, name: str) -> None:
        """Copy the local file ``source`` to ``name``. Others see the file when it is complete."""
        with storage_errors(self.url / name), self._completed(name) as path:
            self._files.put_file(str(source), path)

    def download(self, name: str, target: Path) -> None:
        """Copy the file ``name`` to the local file ``target``."""
        with storage_errors(self.url / name):
            self._files.get_file(self._path(name), str(target))

    def delete(self, name: str) -> None:
        """Delete the file ``name``, if there is one."""
        with storage_errors(self.url / name), suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _completed(self, name: str) -> Iterator[str]:
        """Yield the path to write to; afterwards the file is at ``name``."""
        path = self._path(name)
        if self._atomic:
            yield path
            return
        self._check_mounted()
        folder, _, own = path.rpartition("/")
        unfinished = f"{folder}/{_UNFINISHED}{token_hex(4)}-{own}"
        try:
            self._files.makedirs(folder, exist_ok=True)
            yield unfinished
            self._files.mv(unfinished, path)
        except BaseException:
            with suppress(Exception):
                self._files.rm_file(unfinished)
            raise

    def _check_mounted(self) -> None:
        if self.url.scheme == "file" and not Path(self._top).is_dir():
            raise NotThereError(f"file://{self._top}", "there is no such folder: mount it, or create it")

    def _link_new(self, path: str, data: bytes) -> None:
        """Create the file ``path`` of a mounted folder with its whole content, unless it exists."""
        self._check_mounted()
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f"{_UNFINISHED}{token_hex(4)}-{target.name}")
        try:
            with open(unfinished, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)


def _file_system(url: StorageUrl) -> Any:
    """Return fsspec's file system for ``url``, which keeps no listings: others change the storage too."""
    try:
        import fsspec  # noqa: PLC0415 - an optional extra, and not needed with local recordings only
    except ImportError as error:
        raise InputError(f"{url} needs the package fsspec: {install_command('storage')}") from error
    options: Mapping[str, Any] = {}
    if url.scheme in ("s3", "s3a"):
        options = _S3_OPTIONS
        for name in ("aiobotocore", "botocore"):  # they log each time where credentials were found
            logging.getLogger(name).setLevel(logging.WARNING)
    try:
        make = fsspec.get_filesystem_class(url.scheme)
        made = make(use_listings_cache=False, skip_instance_cache=True, **options)
    except ImportError as error:
        raise InputError(f"{url}: {error} (for s3://: {install_command('storage')})") from error
    except ValueError as error:
        raise InputError(f"{url}: there is no storage of the kind {url.scheme}://") from error
    if options:
        made.retries = 1  # s3fs would repeat each of the attempts that the library below it makes, five times
    return made


def _version(info: Mapping[str, Any]) -> str:
    for key in ("ETag", "etag", "md5Hash", "mtime", "LastModified", "created"):
        if info.get(key):
            return str(info[key]).strip('"')
    return ""


__all__ = ["NotThereError", "StorageFolder", "StoredObject", "TakenError"]
