"""The data folder and what is in it can only be read by its user, or also by its group."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from stinger.files import StrPath

_OWNER: Final = 0o700
_OWNER_AND_GROUP: Final = 0o750
_CONTENT: Final = ("daemon.lock", "recordings", "registry", "outbox.sqlite3")
"""Names by which a data folder is recognised."""


@contextmanager
def private_files(data_dir: StrPath) -> Iterator[None]:
    """Create files that only the user can read in the block, also by the group if that may read ``data_dir``.

    The block sets the umask of the whole process.
    """
    try:
        group = stat.S_IMODE(Path(data_dir).stat().st_mode) == _OWNER_AND_GROUP
    except OSError:
        group = False
    before = os.umask(_umask(group=group))
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def private_folder(data_dir: StrPath, *, group: bool) -> Iterator[bool]:
    """Close ``data_dir``, and all that is created in the block, to other users.

    Unless ``group`` is set, close them to the group as well. Yields whether the folder is closed, or does not exist
    yet. A folder that holds anything else than the data of a daemon, or belongs to another user, keeps its mode.
    """
    folder = Path(data_dir)
    wanted = _OWNER_AND_GROUP if group else _OWNER
    before = os.umask(_umask(group=group))
    try:
        if _is_ours(folder):
            with suppress(OSError):
                folder.chmod(wanted)
        yield _is_closed(folder, wanted)
    finally:
        os.umask(before)


def _umask(*, group: bool) -> int:
    return 0o777 & ~(_OWNER_AND_GROUP if group else _OWNER)


def _is_ours(folder: Path) -> bool:
    """Return whether ``folder`` is a data folder of this user, or an empty one that is to become one."""
    try:
        status = folder.stat()
        names = {entry.name for entry in os.scandir(folder)}
    except OSError:
        return False
    shared = status.st_mode & (stat.S_ISVTX | stat.S_ISGID)
    owned = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
    return owned and not shared and (not names or bool(names & set(_CONTENT)))


def _is_closed(folder: Path, wanted: int) -> bool:
    try:
        return os.name == "nt" or not stat.S_IMODE(folder.stat().st_mode) & 0o077 & ~wanted
    except OSError:
        return True
