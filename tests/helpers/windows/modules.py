"""What the program's own modules see of Python's library: only what there is on Windows.

An import hook compiles them so that ``import os`` gives them another module in place of ``os``, and so on. Other packages
are not affected.
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

from tests.helpers.windows.clock import coarse, coarse_ns
from tests.helpers.windows.notes import note

PACKAGES: Final = frozenset({"stinger", "models", "replay", "service", "hil"})
MISSING_MODULES: Final = frozenset(
    {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
)
_PREFIX: Final = "_on_windows_"

_MISSING_OS: Final = frozenset(
    [
        "chown",
        "chroot",
        "copy_file_range",
        "ctermid",
        "eventfd",
        "fchdir",
        "fchmod",
        "fchown",
        "fdatasync",
        "fork",
        "forkpty",
        "fpathconf",
        "fstatvfs",
        "get_blocking",
        "getegid",
        "geteuid",
        "getgid",
        "getgroups",
        "getloadavg",
        "getpgid",
        "getpgrp",
        "getpriority",
        "getresuid",
        "getsid",
        "getuid",
        "getxattr",
        "initgroups",
        "killpg",
        "lchown",
        "lockf",
        "major",
        "makedev",
        "memfd_create",
        "minor",
        "mkfifo",
        "mknod",
        "nice",
        "openpty",
        "pathconf",
        "pidfd_open",
        "pipe2",
        "posix_fadvise",
        "posix_fallocate",
        "posix_spawn",
        "pread",
        "preadv",
        "pwrite",
        "pwritev",
        "readv",
        "register_at_fork",
        "sched_getaffinity",
        "sched_setaffinity",
        "sched_yield",
        "sendfile",
        "set_blocking",
        "setegid",
        "seteuid",
        "setgid",
        "setpgid",
        "setsid",
        "setuid",
        "splice",
        "statvfs",
        "sync",
        "sysconf",
        "tcgetpgrp",
        "ttyname",
        "uname",
        "wait",
        "wait3",
        "wait4",
        "waitid",
        "writev",
        "O_CLOEXEC",
        "O_DIRECT",
        "O_DIRECTORY",
        "O_DSYNC",
        "O_NOATIME",
        "O_NOCTTY",
        "O_NOFOLLOW",
        "O_NONBLOCK",
        "O_NDELAY",
        "O_PATH",
        "O_SYNC",
        "O_TMPFILE",
    ]
)
_MISSING_SIGNAL: Final = frozenset(
    [
        "SIGALRM",
        "SIGBUS",
        "SIGCHLD",
        "SIGCONT",
        "SIGHUP",
        "SIGIO",
        "SIGKILL",
        "SIGPIPE",
        "SIGPROF",
        "SIGQUIT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGUSR1",
        "SIGUSR2",
        "SIGVTALRM",
        "SIGWINCH",
        "SIGXCPU",
        "SIG_BLOCK",
        "SIG_SETMASK",
        "SIG_UNBLOCK",
        "alarm",
        "getitimer",
        "pause",
        "pthread_kill",
        "pthread_sigmask",
        "setitimer",
        "siginterrupt",
        "sigpending",
        "sigtimedwait",
        "sigwait",
    ]
)
_MISSING_SOCKET: Final = frozenset(
    ["AF_UNIX", "MSG_DONTWAIT", "MSG_NOSIGNAL", "SO_REUSEPORT", "CMSG_LEN", "sethostname", "socketpair_unix"]
)
_MISSING_SELECT: Final = frozenset(["devpoll", "epoll", "kqueue", "poll"])
_MISSING_TIME: Final = frozenset(
    ["CLOCK_MONOTONIC", "CLOCK_REALTIME", "clock_getres", "clock_gettime", "clock_gettime_ns", "clock_settime", "tzset"]
)
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV)
_SIGBREAK: Final = signal.SIGUSR1
_O_BINARY: Final = 1 << 29
_SLEEP_S: Final = 0.05
_text_mode: set[int] = set()


def install() -> None:
    """Make later imports of the program's modules go through the hook."""
    for name, module in _MODULES.items():
        sys.modules[_PREFIX + name] = module
    sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] not in PACKAGES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = _Imports().visit(ast.parse(self.get_data(path), path))
        code: CodeType = compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)
        return code


class _Imports(ast.NodeTransformer):
    """Renames the modules that are imported; one that Windows lacks gets a name that does not exist."""

    def visit_Import(self, node: ast.Import) -> ast.Import:
        for alias in node.names:
            if alias.name in _MODULES or alias.name in MISSING_MODULES:
                alias.asname = alias.asname or alias.name
                alias.name = _PREFIX + alias.name
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if not node.level and (node.module in _MODULES or node.module in MISSING_MODULES):
            node.module = f"{_PREFIX}{node.module}"
        return node


class _Module(ModuleType):
    """A module without ``missing``, with ``own`` in place of the same names in ``real``."""

    def __init__(self, real: ModuleType, missing: frozenset[str], own: dict[str, Any]) -> None:
        super().__init__(_PREFIX + real.__name__)
        vars(self).update(_real=real, _missing=missing, **own)

    def __getattr__(self, name: str) -> Any:
        if name in self._missing:
            raise AttributeError(f"module '{self._real.__name__}' has no attribute '{name}' on Windows")
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


_MODULES: Final[dict[str, ModuleType]] = {
    "os": _Module(
        os,
        _MISSING_OS,
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
    "signal": _Module(signal, _MISSING_SIGNAL, {"SIGBREAK": _SIGBREAK, "signal": _signal}),
    "socket": _Module(socket, _MISSING_SOCKET, {"errorTab": {10061: "Connection refused."}}),
    "select": _Module(select, _MISSING_SELECT, {}),
    "time": _Module(
        time,
        _MISSING_TIME,
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
