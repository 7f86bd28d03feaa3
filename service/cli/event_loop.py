"""Runs a command's coroutine on an event loop, and connects the signals that end it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from service.base.executor import AbandoningExecutor


def run_on_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end on a loop that the MQTT library can use: on Windows that is not the default loop.

    The end does not wait for blocking calls in threads that do not return.
    """
    factory = asyncio.SelectorEventLoop if sys.platform == "win32" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.get_loop().set_default_executor(AbandoningExecutor())
        runner.run(work)


def on_signals(
    loop: asyncio.AbstractEventLoop, stop: Callable[[], None], reload: Callable[[], None] = lambda: None
) -> None:
    """Have Ctrl-C and SIGTERM call ``stop``, and SIGHUP, which Windows does not have, call ``reload``."""
    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop}
    if sys.platform == "win32":
        for number, handler in handlers.items():
            signal.signal(number, lambda *_, handler=handler: loop.call_soon_threadsafe(handler))
        return
    handlers[signal.SIGHUP] = reload
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
