"""What Windows refuses to do with files: an audit hook of Python, which sees every use by the program and its packages.

Renaming, replacing or deleting a file that any process has open (or a folder with one in it) or that is read-only;
opening a folder; symbolic links, which need a privilege; names with reserved characters, reserved names, and paths that
are too long.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Iterator
from typing import Any, Final

from tests.helpers.other_systems.notes import FOLDER, note

_PATH_MAX: Final = 259
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_FORBIDDEN: Final = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]$')
_UNCHECKED: Final = ("/dev/", "/proc/", "/sys/", FOLDER, sys.prefix, sys.base_prefix)
_EXEMPT: Final = ("/filelock/",)
"""Packages that do this in another way on Windows."""
_CALLERS: Final = 6
_active = False


def install() -> None:
    """Check every use of a file from now on, and let other processes of the same folder see which files this one has open."""
    processes = os.path.join(FOLDER, "processes")
    os.makedirs(processes, exist_ok=True)
    with open(os.path.join(processes, str(os.getpid())), "wb"):
        pass
    sys.addaudithook(_check)


def _check(event: str, arguments: tuple[Any, ...]) -> None:
    global _active  # noqa: PLW0603 - the hook itself uses files
    check = _CHECKS.get(event)
    if check is None or _active or _is_exempt():
        return
    _active = True
    try:
        check(*arguments)
    finally:
        _active = False


def _is_exempt() -> bool:
    frame = sys._getframe(2)
    for _ in range(_CALLERS):
        if any(part in frame.f_code.co_filename for part in _EXEMPT):
            return True
        if frame.f_back is None:
            break
        frame = frame.f_back
    return False


def _open(path: object, _mode: object, _flags: object) -> None:
    text = _absolute(path)
    if text is None:
        return
    _check_name(text)
    if os.path.isdir(text):
        note(f"open the folder {text}")
        raise PermissionError(errno.EACCES, "Permission denied", text)


def _rename(source: object, target: object, *_folders: object) -> None:
    for path in (source, target):
        text = _absolute(path)
        if text is not None:
            _check_name(text)
            _check_free(text)


def _remove(path: object, *_folders: object) -> None:
    text = _absolute(path)
    if text is None:
        return
    _check_free(text)
    if os.path.isfile(text) and not os.stat(text).st_mode & stat.S_IWUSR:
        note(f"remove the read-only file {text}")
        raise PermissionError(errno.EACCES, "[WinError 5] Access is denied", text)


def _make_folder(path: object, *_options: object) -> None:
    text = _absolute(path)
    if text is not None:
        _check_name(text)


def _link(_source: object, target: object, *_options: object) -> None:
    note(f"make the symbolic link {target!r}")
    raise OSError(errno.EINVAL, "[WinError 1314] A required privilege is not held by the client", str(target))


_CHECKS: Final[dict[str, Any]] = {
    "open": _open,
    "os.rename": _rename,
    "os.remove": _remove,
    "os.rmdir": _remove,
    "os.mkdir": _make_folder,
    "os.symlink": _link,
}


def _absolute(path: object) -> str | None:
    """Return the absolute path; ``None`` for a descriptor and for places that have nothing to do with the program."""
    if isinstance(path, int) or path is None:
        return None
    text = os.path.abspath(os.fsdecode(path))  # type: ignore[arg-type]  # a path, as the event documents
    return None if text.startswith(_UNCHECKED) else text


def _check_name(path: str) -> None:
    for part in path.split("/"):
        if _RESERVED.fullmatch(part) or _FORBIDDEN.search(part):
            note(f"use the name {part!r}")
            raise OSError(
                errno.EINVAL, "[WinError 123] The filename, directory name, or volume label syntax is incorrect", path
            )
    if len(path) > _PATH_MAX:
        note(f"use a path of {len(path)} characters")
        raise FileNotFoundError(errno.ENOENT, "[WinError 206] The filename or extension is too long", path)


def _check_free(path: str) -> None:
    for process, opened in _open_files():
        if opened == path or opened.startswith(f"{path}/"):
            note(f"rename or remove {path}, which {'this process' if process == os.getpid() else 'another'} has open")
            message = "[WinError 32] The process cannot access the file because it is being used by another process"
            raise PermissionError(errno.EACCES, message, path)


def _open_files() -> Iterator[tuple[int, str]]:
    for process in os.listdir(os.path.join(FOLDER, "processes")):
        try:
            for fd in os.listdir(f"/proc/{process}/fd"):
                yield int(process), os.readlink(f"/proc/{process}/fd/{fd}")
        except OSError:
            continue
