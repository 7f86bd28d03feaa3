"""Locks on a data folder: one daemon and one retraining at a time."""

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
def daemon_lock(data_dir: StrPath) -> Iterator[None]:
    """Hold the daemon's lock on ``data_dir`` while the block runs; create the folder if it does not exist.

    Raises :class:`InputError` if another daemon holds it. The system releases the lock however its holder ends.
    """
    with _lock(data_dir, LOCK_NAME, "is in use by another daemon: stop it, or choose another folder with --data-dir"):
        yield


@contextmanager
def retraining_lock(data_dir: StrPath) -> Iterator[None]:
    """Hold the lock for retraining on ``data_dir``; a daemon may use the folder at the same time. See `daemon_lock`."""
    with _lock(data_dir, RETRAINING_LOCK_NAME, "is being retrained on by another process: wait for it to end"):
        yield


@contextmanager
def _lock(data_dir: StrPath, name: str, problem: str) -> Iterator[None]:
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
