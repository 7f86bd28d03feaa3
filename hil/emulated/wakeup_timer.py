"""Waking up on time: a kernel timer in the event loop, as the loop's own has a resolution of a millisecond on Linux.

Measured on one waking each 10 ms: ``docs/emulator.md``.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import itertools
import os
import sys
import time
from collections.abc import Callable
from typing import Final

LEAD_MAX_NS: Final = 200_000
"""The timer is set earlier than needed by at most this."""
RESTED_NS: Final = 1_000_000
"""A processor that had nothing to do for this long takes its time to wake; a busier one is woken without a lead."""

_NS: Final = 1_000_000_000
_STEP_NS: Final = 5_000
_EARLY_PART: Final = 0.1
_HAS_KERNEL_TIMER = sys.platform == "linux"
_ABSOLUTE: Final = 1  # TFD_TIMER_ABSTIME


class WakeupTimer:
    """Wakes any number of tasks of the running event loop, each at its time on ``time.monotonic_ns()``.

    A process wakes later than its timer says, on a virtual machine by some 0.1 ms; so the timer is set earlier by what
    nine of ten wakings have taken at least. The tenth passes the few microseconds that are left in a loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._lead_ns = 0.0
        self._set_ns = 0
        self._rested = False
        self._timer: _KernelTimer | _LoopTimer
        self._timer = _KernelTimer(self._loop, self._ring) if _HAS_KERNEL_TIMER else _LoopTimer(self._loop, self._ring)

    async def until(self, due_ns: int) -> None:
        """Return at ``due_ns``, never before; at once, without a turn of the loop, if that has passed."""
        if due_ns <= time.monotonic_ns():
            return
        woken: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(self._waiting, (due_ns, next(self._order), woken))
        if self._waiting[0][2] is woken:
            self._set(due_ns)
        await woken

    def close(self) -> None:
        """Let go of the timer; who still waits is never woken."""
        self._timer.close()

    def _ring(self) -> None:
        now_ns = time.monotonic_ns()
        if self._rested:
            self._learn(now_ns - self._set_ns)
            if self._waiting and self._waiting[0][0] - now_ns <= LEAD_MAX_NS:
                while (now_ns := time.monotonic_ns()) < self._waiting[0][0]:
                    pass
        while self._waiting and self._waiting[0][0] <= now_ns:
            woken = heapq.heappop(self._waiting)[2]
            if not woken.done():  # else its task was cancelled
                woken.set_result(None)
        if self._waiting:
            self._set(self._waiting[0][0])

    def _set(self, due_ns: int) -> None:
        self._rested = due_ns - time.monotonic_ns() > RESTED_NS
        self._set_ns = due_ns - int(self._lead_ns) if self._rested else due_ns
        self._timer.set(self._set_ns)

    def _learn(self, late_ns: int) -> None:
        """Bring the lead nearer to what a tenth of wakings stay below."""
        self._lead_ns += _STEP_NS * (_EARLY_PART if late_ns > self._lead_ns else _EARLY_PART - 1)
        self._lead_ns = min(max(self._lead_ns, 0.0), LEAD_MAX_NS)


class _LoopTimer:
    """The event loop's own timer, for systems without a better one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None

    def set(self, due_ns: int) -> None:
        self.close()
        self._handle = self._loop.call_at(due_ns / _NS, self._ring)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()


class _Timerspec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class _KernelTimer:
    """A Linux timerfd. Python has had it since 3.13 only, so it is called through the C library."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._library = ctypes.CDLL(None, use_errno=True)
        self._fd = self._library.timerfd_create(time.CLOCK_MONOTONIC, os.O_CLOEXEC | os.O_NONBLOCK)
        self._check(self._fd)
        loop.add_reader(self._fd, self._expired)

    def set(self, due_ns: int) -> None:
        spec = _Timerspec(0, 0, due_ns // _NS, due_ns % _NS)
        self._check(self._library.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(spec), None))

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _expired(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # set anew between its expiry and now
            return
        self._ring()

    @staticmethod
    def _check(result: int) -> None:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
