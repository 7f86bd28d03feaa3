"""Read and write files.

Errors of the operating system become one line, and a failed write leaves nothing behind.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import FileIO
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Final

from stinger.errors import FileError

StrPath = str | PathLike[str]

READ_MAX_BYTES: Final = 4 * 2**30
"""The largest file that is read into memory: 700 hours of samples."""
REPLACE_PATIENCE_S: Final = 2.0
_REPLACE_INTERVAL_S: Final = 0.02
_PART_BYTES: Final = 2**20


def read_bytes(path: StrPath, *, at_most: int = READ_MAX_BYTES) -> bytes:
    """Return the content of a regular file.

    Raises :class:`FileError` if the operating system refuses, for a file of more than ``at_most`` bytes, and for
    anything that is not a regular file, such as a pipe or a device: opening or reading one may wait for ever, and
    opening some has effects of its own.
    """
    with open_regular(path) as file:
        too_large = os.fstat(file.fileno()).st_size > at_most
        with os_errors(path):
            data = b"" if too_large else _read_up_to(file, at_most)
    if too_large or len(data) > at_most:
        raise FileError(path, f"is larger than {at_most:,} bytes")
    return data


def open_regular(path: StrPath) -> FileIO:
    """Open a regular file for reading, unbuffered. Raises :class:`FileError`, also for anything that is not one."""
    with os_errors(path):
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise FileError(path, "is not a regular file")
        # Between the two it may have been replaced: opening a pipe without this flag would wait for its other end.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
        file = FileIO(os.open(path, flags | getattr(os, "O_CLOEXEC", 0)), "rb")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise FileError(path, "is not a regular file")
        return file


def regular_opener(path: StrPath, flags: int) -> int:
    """Open a regular file, or create it; an ``opener`` for :func:`open`.

    Raises ``OSError``, also for a pipe or a device: opening one, or writing to it, may wait for ever.
    """
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0)
    if Path(path).exists() and not Path(path).is_file():  # opening some devices has effects of its own
        raise OSError(errno.EINVAL, "is not a regular file", os.fspath(path))
    fd = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "is not a regular file", os.fspath(path))
    return fd


def home_resolved(path: StrPath) -> Path:
    """Return ``path`` with ``~`` or ``~user`` at its start resolved.

    It is unchanged if the system does not know that user.
    """
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def make_folder(path: StrPath) -> None:
    """Create the folder ``path`` and its parents, if missing. Raises :class:`FileError`."""
    with os_errors(path):
        if Path(path).exists() and not Path(path).is_dir():
            raise FileError(path, "exists and is not a folder")
        Path(path).mkdir(parents=True, exist_ok=True)


@contextmanager
def os_errors(path: StrPath) -> Iterator[None]:
    """Turn an ``OSError`` about ``path`` into a :class:`FileError` that names it."""
    try:
        yield
    except OSError as error:
        raise FileError(path, error.strerror or str(error)) from error


@contextmanager
def atomic_output(path: StrPath, *, lasting: bool = True, secret: bool = False) -> Iterator[BinaryIO]:
    """Yield a binary file that replaces ``path`` when the block ends, and is deleted when the block raises.

    Other processes see the old file or the complete new one, even after a crash: the bytes are on disk before the
    rename. With ``lasting=False`` it does not wait for the disk: then a crash of the whole machine may leave an empty
    file. A symbolic link is followed, an existing file keeps its mode; with ``secret``, only the owner can read the
    file. Raises :class:`FileError` if the system refuses.
    """
    with os_errors(path):
        target = _target(path)
        temporary = _temporary_path(target)
        mode = 0o600 if secret else 0o666
        try:
            with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
                if target.exists() and not secret:
                    os.chmod(temporary, target.stat().st_mode & 0o777)
                yield file
                file.flush()
                if lasting:
                    os.fsync(file.fileno())
            replace_path(temporary, target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        if lasting:
            sync_folder(target.parent)


def write_bytes(path: StrPath, data: bytes, *, lasting: bool = True, secret: bool = False) -> None:
    """Replace the content of ``path`` by ``data``, atomically (see :func:`atomic_output`)."""
    with atomic_output(path, lasting=lasting, secret=secret) as file:
        file.write(data)


def text_bytes(text: str) -> bytes:
    """Return ``text`` as UTF-8. The bytes of a file's name that are none, as Python reads such a name, are escaped."""
    return text.encode(errors="backslashreplace")


def write_many(files: Mapping[Path, bytes]) -> None:
    """Write each of ``files`` as :func:`write_bytes` does, but flush the system's disks once for all of them.

    For many files this is faster than a flush for each. Raises :class:`FileError`: then some files may be replaced and
    others not, but each is the old or the complete new one.
    """
    if not hasattr(os, "sync"):
        for path, data in files.items():
            write_bytes(path, data)
        return
    temporary_paths: dict[Path, Path] = {}
    try:
        for path, data in files.items():
            with os_errors(path):
                temporary_paths[path] = _temporary_path(path)
                temporary_paths[path].write_bytes(data)
        os.sync()
        for path in files:
            with os_errors(path):
                replace_path(temporary_paths.pop(path), path)
    finally:
        for temporary in temporary_paths.values():
            with suppress(OSError):
                temporary.unlink()


def replace_path(source: StrPath, target: StrPath, *, patience_s: float = REPLACE_PATIENCE_S) -> None:
    """Rename ``source`` to ``target``, replacing a file of that name. Raises ``OSError``.

    Windows refuses this while another program has one of them open, such as a reader or a virus scanner; there it is
    tried again for ``patience_s`` seconds.
    """
    end_s = time.monotonic() + patience_s
    while True:
        try:
            os.replace(source, target)
        except PermissionError:
            if os.name != "nt" or time.monotonic() >= end_s:
                raise
            time.sleep(_REPLACE_INTERVAL_S)
        else:
            return


def check_output(path: StrPath) -> None:
    """Raise the :class:`FileError` that writing ``path`` would raise, before long work. Leaves no file behind."""
    with os_errors(path):
        temporary = _temporary_path(_target(path))
        temporary.open("xb").close()
        temporary.unlink()


def _target(path: StrPath) -> Path:
    """Return ``path`` with links resolved, whether it exists or not; raise :class:`FileError` if it is no regular file."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise FileError(path, "exists and is not a regular file")
    return target


def _temporary_path(target: Path) -> Path:
    """Return the name of a temporary file beside ``target``, in which its bytes are collected."""
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")


def _read_up_to(file: FileIO, at_most: int) -> bytes:
    """Read ``file`` to its end, but stop soon after ``at_most`` bytes."""
    parts = bytearray()
    while len(parts) <= at_most and (part := file.read(_PART_BYTES)):
        parts += part
    return bytes(parts)


def sync_folder(folder: Path) -> None:
    """Flush a rename in ``folder`` to the disk, where the system can: Windows and some network file systems cannot."""
    if os.name == "nt":
        return
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
