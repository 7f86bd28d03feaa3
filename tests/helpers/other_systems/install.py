"""Sets up the limits of another system in this process."""

from __future__ import annotations

# Modules that must be loaded as they are before anything is replaced.
import asyncio
import ctypes  # noqa: F401
import multiprocessing
import os
import shutil
import signal
import ssl  # noqa: F401
import subprocess  # noqa: F401
import tempfile  # noqa: F401
import threading
from typing import Any

from tests.helpers.other_systems import SYSTEM_VARIABLE, WINDOWS, files, loops, modules

_CONSOLE_EVENTS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Ctrl-C, the end of the process, and, in place of a signal that only Windows has, Ctrl-Break."""


def install() -> None:
    """Set up all limits. Called once, before any module of the program is imported."""
    system = os.environ[SYSTEM_VARIABLE]
    multiprocessing.set_start_method("spawn")
    modules.install(system)
    if system == WINDOWS:
        _deliver_signals_in_a_thread()
        replaced: Any = asyncio
        replaced.SelectorEventLoop = loops.SelectorLoop
        replaced.DefaultEventLoopPolicy = loops.Policy
        asyncio.set_event_loop_policy(loops.Policy())
        rmtree: Any = shutil
        rmtree._use_fd_functions = False  # it opens folders, which Windows cannot
        files.install()


def _deliver_signals_in_a_thread() -> None:
    """Let console events interrupt no call of the main thread: on Windows they arrive in a thread of their own.

    Python's handlers then run when the main thread next executes a line.
    """
    started = threading.Event()

    def receive() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _CONSOLE_EVENTS)
        started.set()
        threading.Event().wait()

    threading.Thread(target=receive, name="console events", daemon=True).start()
    started.wait()
    signal.pthread_sigmask(signal.SIG_BLOCK, _CONSOLE_EVENTS)
