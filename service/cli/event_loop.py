"""Runs a command's coroutine on an event loop, and connects the signals that end it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from service.base.executor import AbandoningExecutor

_READ_BYTES = 4096


def run_on_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end on a loop that the MQTT library can use: on Windows that is not the default loop.

    The end does not wait for blocking calls in threads that do not return.
    """
    factory = asyncio.SelectorEventLoop if sys.platform == "win32" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        loop = runner.get_loop()
        loop.set_default_executor(AbandoningExecutor())
        with _woken_by_signals(loop):
            runner.run(work)


def on_signals(
    loop: asyncio.AbstractEventLoop, stop: Callable[[], None], reload: Callable[[], None] = lambda: None
) -> None:
    """Have signals call ``stop`` and ``reload``.

    Ctrl-C and SIGTERM, on Windows also Ctrl-Break, call ``stop``; SIGHUP, which Windows lacks, ``reload``.
    """
    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop}
    if sys.platform == "win32":
        handlers[signal.SIGBREAK] = stop
        for number, handler in handlers.items():
            signal.signal(number, lambda *_, handler=handler: _call_soon(loop, handler))
        return
    handlers[signal.SIGHUP] = reload
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)


def _call_soon(loop: asyncio.AbstractEventLoop, handler: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed: the process is ending anyway
        loop.call_soon_threadsafe(handler)


@contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have each signal wake ``loop`` within the block.

    On Windows a signal interrupts no ``select``, so that Python's handler would not run before something else happens.
    Elsewhere the loop does this itself.
    """
    if sys.platform == "win32":
        ours, pythons = socket.socketpair()
        with ours, pythons:
            for end in (ours, pythons):
                end.setblocking(False)
            loop.add_reader(ours, ours.recv, _READ_BYTES)
            before = signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
            try:
                yield
            finally:
                signal.set_wakeup_fd(before)
                loop.remove_reader(ours)
    else:
        yield
