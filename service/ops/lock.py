"""Locks on a data folder: one daemon and one retraining at a time."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from stinger.errors import FileError, InputError, UnavailableError
from stinger.files import StrPath, make_folder, os_errors

LOCK_NAME = "daemon.lock"
RETRAINING_LOCK_NAME = "retraining.lock"
_DISK_FULL: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class DaemonLock:
    """The lock that keeps a second daemon off the data folder; the system releases it even if its holder is killed.

    A folder that cannot be written to, because it is read-only or its disk is full, cannot be locked either. The
    daemon may start all the same, as no daemon can change anything there: :attr:`problem` then has the reason, and
    :meth:`try_again` must be called until it is empty.
    """

    def __init__(self, data_dir: StrPath) -> None:
        self._folder = Path(data_dir)
        self._lock = FileLock(self._folder / LOCK_NAME)
        self.problem = ""
        """Why the lock is not held; empty if it is."""
        self.try_again()

    def try_again(self) -> None:
        """Acquire the lock unless it is held; create the folder if it does not exist.

        Raises :class:`UnavailableError` if another daemon holds it, or if there is another problem with it although the
        folder can be written to; and :class:`InputError` if the path is not that of a folder.
        """
        if self._lock.is_locked:
            return
        if self._folder.exists() and not self._folder.is_dir():
            raise FileError(self._folder, "exists and is not a folder: choose another one with --data-dir")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:  # also an OSError
            raise UnavailableError(
                f"{self._folder} is in use by another daemon: stop it, or choose another folder with --data-dir"
            ) from error
        except NotImplementedError as error:
            raise InputError(f"{self._folder} is on a file system without locks: use another --data-dir") from error
        except OSError as error:
            reason = error.strerror or str(error)
            if isinstance(error, NotADirectoryError):
                raise FileError(self._folder, f"{reason}: choose another folder with --data-dir") from error
            if error.errno not in _DISK_FULL and os.access(self._folder, os.W_OK | os.X_OK):
                raise UnavailableError(f"{self._folder / LOCK_NAME}: {reason}: delete it") from error
            self.problem = f"{self._folder} cannot be written to: {reason}"
        else:
            self.problem = ""

    def release(self) -> None:
        """Release the lock if it is held."""
        self._lock.release()


@contextmanager
def retraining_lock(data_dir: StrPath) -> Iterator[None]:
    """Hold the lock for retraining on ``data_dir`` while the block runs.

    A daemon may use the folder at the same time. Raises :class:`InputError` if another process holds it. The system
    releases the lock even if its holder is killed.
    """
    make_folder(data_dir)
    path = Path(data_dir) / RETRAINING_LOCK_NAME
    lock = FileLock(path)
    with os_errors(path):
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(f"{data_dir} is being retrained on by another process: wait for it to end") from error
    try:
        yield
    finally:
        lock.release()
