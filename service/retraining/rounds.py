"""Retraining again and again, until somebody ends it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


def rounds(every_s: float, work: Callable[[], object]) -> NoReturn:
    """Do ``work`` now and then every ``every_s`` seconds, counted from the first time; what is missed is left out."""
    begun = time.monotonic()
    while True:
        work()
        done = time.monotonic() - begun
        time.sleep(every_s - done % every_s)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, with :class:`KeyboardInterrupt`, so that workers end and nothing half is left."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
