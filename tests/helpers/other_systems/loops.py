"""Event loops with the limits that asyncio documents for Windows ("Platform Support").

The selector loop has no subprocesses, no signal handlers and no pipes, and watches at most 512 sockets and nothing
else. The default loop, the proactor, has subprocesses, but no signal handlers, and cannot watch file descriptors
(``add_reader``). The clock of both counts in steps of 15.6 ms, as it does before Python 3.13.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import stat
import threading
from typing import Any, Final, NoReturn

from tests.helpers.other_systems.clock import TICK_S, coarse
from tests.helpers.other_systems.notes import note

SOCKETS_MAX: Final = 512
"""``FD_SETSIZE`` of Python for Windows."""


class _SocketSelector(selectors.SelectSelector):
    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            note(f"select on {os.readlink(f'/proc/self/fd/{fd}')}, which is no socket")
            raise OSError(10038, "[WinError 10038] An operation was attempted on something that is not a socket")
        if len(self.get_map()) >= SOCKETS_MAX:
            note("select on more than 512 sockets")
            raise ValueError("too many file descriptors in select()")
        return super().register(fileobj, events, data)


def _refused(name: str) -> Any:
    def refuse(self: object, *_args: object, **_options: object) -> NoReturn:
        note(f"{type(self).__name__}.{name}")
        raise NotImplementedError

    return refuse


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__(_SocketSelector())
        self._clock_resolution = TICK_S

    def time(self) -> float:
        return coarse(super().time())

    add_signal_handler = remove_signal_handler = _refused("add_signal_handler")
    create_unix_connection = create_unix_server = _refused("create_unix_connection")


class SelectorLoop(_Loop):
    """The loop that ``asyncio.SelectorEventLoop`` is on Windows. Ctrl-C does not wake it."""

    subprocess_exec = subprocess_shell = _refused("subprocess_exec")
    connect_read_pipe = connect_write_pipe = _refused("connect_read_pipe")


class ProactorLoop(_Loop):
    """The default loop on Windows, as far as it can be used from outside. Ctrl-C wakes it."""

    def __init__(self) -> None:
        super(_Loop, self).__init__()
        self._clock_resolution = TICK_S

    add_reader = add_writer = remove_reader = remove_writer = _refused("add_reader")

    def run_forever(self) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main:
            before = signal.set_wakeup_fd(vars(self)["_csock"].fileno())
        try:
            super().run_forever()
        finally:
            if is_main:
                signal.set_wakeup_fd(before)


class Policy(asyncio.DefaultEventLoopPolicy):
    """Makes the proactor the default loop."""

    _loop_factory = ProactorLoop
