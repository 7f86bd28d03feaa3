"""The lock on the sidecars of a store.

The daemon writes them, and so does the program in which a person marks something. Each of them reads a sidecar, changes
its own part, and writes the whole. Without a lock, one could undo what the other did.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from stinger.errors import FileError
from stinger.files import os_errors

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_WITHIN_S: Final = 10.0
"""A lock is held while a few files are written: one that takes longer to get is reported."""
_LOCK_NAME: Final = ".sidecars.lock"
_INTERVAL_S: Final = 0.005
_HELD: Final = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


@contextmanager
def sidecar_lock(recording: Path, *, within_s: float = LOCK_WITHIN_S) -> Iterator[None]:
    """Hold the lock of the store that ``recording``, or its sidecar, is in.

    Raises :class:`FileError` if another holds it too long.

    The lock is on the folder of all recordings; where folders cannot be locked, as on Windows, on a file in it. The
    system releases it if its holder is killed. On a file system without locks, nothing is locked.
    """
    store = recording.absolute().parents[1]
    with _folder_lock(store, within_s) if fcntl is not None else _file_lock(store / _LOCK_NAME, within_s):
        yield


@contextmanager
def _folder_lock(folder: Path, within_s: float) -> Iterator[None]:
    with os_errors(folder):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        end_s = time.monotonic() + within_s
        while not _try_lock(fd):
            if time.monotonic() >= end_s:
                raise _held(folder)
            time.sleep(_INTERVAL_S)
        yield
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    """Return whether the file ``fd`` is locked now, or cannot be locked at all."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _HELD
    return True


@contextmanager
def _file_lock(path: Path, within_s: float) -> Iterator[None]:
    lock = FileLock(path)
    with os_errors(path), suppress(NotImplementedError):
        try:
            lock.acquire(timeout=within_s)
        except Timeout as error:
            raise _held(path) from error
    try:
        yield
    finally:
        lock.release()


def _held(path: Path) -> FileError:
    return FileError(path, "another program that writes sidecars holds the lock: try again")
