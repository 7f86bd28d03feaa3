"""One daemon for one data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stinger.errors import InputError
from stinger.files import StrPath, make_folder, os_errors

LOCK_NAME = "daemon.lock"
RETRAINING_LOCK_NAME = "retraining.lock"


@contextmanager
def sole_daemon(data_dir: StrPath) -> Iterator[None]:
    """Be the only daemon that uses ``data_dir``, which is made if need be, while the block runs.

    Raises :class:`InputError` if another one does. The system lets go of the lock when its holder ends in whatever way.
    """
    with _sole(data_dir, LOCK_NAME, "is in use by another daemon: stop it, or choose another folder with --data-dir"):
        yield


@contextmanager
def sole_retraining(data_dir: StrPath) -> Iterator[None]:
    """The same for retraining, which a daemon on the same folder does not keep from."""
    with _sole(data_dir, RETRAINING_LOCK_NAME, "is being retrained on by another process: wait for it to end"):
        yield


@contextmanager
def _sole(data_dir: StrPath, name: str, problem: str) -> Iterator[None]:
    make_folder(data_dir)
    path = Path(data_dir) / name
    lock = FileLock(path)
    with os_errors(path):
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(f"{data_dir} {problem}") from error
    try:
        yield
    finally:
        lock.release()
