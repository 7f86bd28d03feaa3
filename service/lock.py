"""One daemon for one data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stinger.errors import InputError
from stinger.files import StrPath, make_folder, os_errors

LOCK_NAME = "daemon.lock"


@contextmanager
def sole_daemon(data_dir: StrPath) -> Iterator[None]:
    """Be the only daemon that uses ``data_dir``, which is made if need be, while the block runs.

    Raises :class:`InputError` if another one does. The system lets go of the lock when its holder ends in whatever way.
    """
    make_folder(data_dir)
    path = Path(data_dir) / LOCK_NAME
    lock = FileLock(path)
    with os_errors(path):
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(
                f"{data_dir} is in use by another daemon: stop it, or choose another folder with --data-dir"
            ) from error
    try:
        yield
    finally:
        lock.release()
