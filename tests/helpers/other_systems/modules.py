"""What the program's own modules see of Python's library: only what there is on the other system.

An import hook compiles them so that ``import os`` gives them another module in place of ``os``, and so on. Other
packages are not affected.
"""

from __future__ import annotations

import ast
import errno
import fcntl
import importlib.abc
import importlib.machinery
import multiprocessing
import os
import select
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType
from typing import Any, Final

from tests.helpers.other_systems import MACOS, WINDOWS, missing
from tests.helpers.other_systems.clock import coarse, coarse_ns
from tests.helpers.other_systems.notes import note

PACKAGES: Final = frozenset({"stinger", "models", "replay", "service", "hil"})
_PREFIX: Final = "_on_another_system_"

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV)
_SIGBREAK: Final = signal.SIGUSR1
_O_BINARY: Final = 1 << 29
_SLEEP_S: Final = 0.05
_text_mode: set[int] = set()


def install(system: str) -> None:
    """Make later imports of the program's modules go through the hook."""
    replaced, absent = (_WINDOWS, missing.WINDOWS_MODULES) if system == WINDOWS else (_MACOS, frozenset[str]())
    for name, module in replaced.items():
        sys.modules[_PREFIX + name] = module
    sys.meta_path.insert(0, _Finder(frozenset(replaced) | absent))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, renamed: frozenset[str]) -> None:
        self._renamed = renamed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] not in PACKAGES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path, self._renamed)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, renamed: frozenset[str]) -> None:
        super().__init__(fullname, path)
        self._renamed = renamed

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = _Imports(self._renamed).visit(ast.parse(self.get_data(path), path))
        code: CodeType = compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)
        return code


class _Imports(ast.NodeTransformer):
    """Renames imported modules; one that the other system lacks gets a name that does not exist."""

    def __init__(self, renamed: frozenset[str]) -> None:
        self._renamed = renamed

    def visit_Import(self, node: ast.Import) -> ast.Import:
        for alias in node.names:
            if alias.name in self._renamed:
                alias.asname = alias.asname or alias.name
                alias.name = _PREFIX + alias.name
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if not node.level and node.module in self._renamed:
            node.module = f"{_PREFIX}{node.module}"
        return node


class _Module(ModuleType):
    """A module without ``missing``, with ``own`` in place of the same names in ``real``."""

    def __init__(self, real: ModuleType, missing: frozenset[str], own: dict[str, Any]) -> None:
        super().__init__(_PREFIX + real.__name__)
        vars(self).update(_real=real, _missing=missing, **own)

    def __getattr__(self, name: str) -> Any:
        if name in self._missing:
            raise AttributeError(f"module '{self._real.__name__}' has no attribute '{name}' there")
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._real, name, value)


def _os_open(path: Any, flags: int, mode: int = 0o777, **_options: Any) -> int:
    binary = bool(flags & (_O_BINARY | os.O_CLOEXEC))  # the second: called by open(), which adds the first on Windows
    fd = os.open(path, flags & ~_O_BINARY, mode)
    (_text_mode.discard if binary else _text_mode.add)(fd)
    return fd


def _on_file(call: Callable[..., Any]) -> Callable[..., Any]:
    def checked(fd: int, *arguments: Any) -> Any:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            note(f"os.{call.__name__} on a socket")
            raise OSError(errno.EBADF, "Bad file descriptor")
        if fd in _text_mode:
            note(f"os.{call.__name__} on a file without O_BINARY")
            raise OSError(errno.EINVAL, "a file in text mode")
        return call(fd, *arguments)

    return checked


def _fsync(fd: int) -> None:
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        note("os.fsync on a file that is open for reading")
        raise OSError(errno.EBADF, "Bad file descriptor")
    os.fsync(fd)


def _signal(number: int, handler: Any) -> Any:
    if number not in (*_SIGNALS, _SIGBREAK):
        raise ValueError("signal number out of range")
    return signal.signal(number, handler)


def _sleep(seconds: float) -> None:
    """Sleep so that Ctrl-C is noticed, as on Windows, where it does not interrupt other calls."""
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        time.sleep(min(left_s, _SLEEP_S))


def _get_context(method: str | None = None) -> Any:
    if method not in (None, "spawn", "loky"):
        raise ValueError(f"cannot find context for {method!r}")
    return multiprocessing.get_context(method)


_WINDOWS: Final[dict[str, ModuleType]] = {
    "os": _Module(
        os,
        missing.WINDOWS_OS,
        {
            "name": "nt",
            "O_BINARY": _O_BINARY,
            "open": _os_open,
            "read": _on_file(os.read),
            "write": _on_file(os.write),
            "fsync": _fsync,
        },
    ),
    "sys": _Module(sys, frozenset({"getdlopenflags", "setdlopenflags"}), {"platform": "win32"}),
    "signal": _Module(signal, missing.WINDOWS_SIGNAL, {"SIGBREAK": _SIGBREAK, "signal": _signal}),
    "socket": _Module(socket, missing.WINDOWS_SOCKET, {"errorTab": {10061: "Connection refused."}}),
    "select": _Module(select, missing.WINDOWS_SELECT, {}),
    "time": _Module(
        time,
        missing.WINDOWS_TIME,
        {
            "monotonic": lambda: coarse(time.monotonic()),
            "monotonic_ns": lambda: coarse_ns(time.monotonic_ns()),
            "time": lambda: coarse(time.time()),
            "time_ns": lambda: coarse_ns(time.time_ns()),
            "sleep": _sleep,
        },
    ),
    "multiprocessing": _Module(multiprocessing, frozenset(), {"get_context": _get_context}),
}

_MACOS: Final[dict[str, ModuleType]] = {
    "os": _Module(
        os,
        missing.MACOS_OS,
        {},
    ),
    "sys": _Module(sys, frozenset(), {"platform": MACOS}),
    "signal": _Module(signal, missing.MACOS_SIGNAL, {}),
    "select": _Module(select, missing.MACOS_SELECT, {}),
    "time": _Module(time, missing.MACOS_TIME, {}),
    "multiprocessing": _Module(multiprocessing, frozenset(), {"get_context": _get_context}),
}
