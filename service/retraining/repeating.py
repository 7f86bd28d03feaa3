"""Repeating work at an interval until the process is asked to end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


def repeat_forever(interval_s: float, work: Callable[[], object]) -> NoReturn:
    """Call ``work`` now and at every multiple of ``interval_s`` from now on.

    Times that pass while it runs are skipped.
    """
    started_s = time.monotonic()
    while True:
        work()
        elapsed_s = time.monotonic() - started_s
        time.sleep(interval_s - elapsed_s % interval_s)


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Let SIGTERM raise :class:`KeyboardInterrupt` in the block, as Ctrl-C does.

    Cleanup then runs, and workers end.
    """

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
