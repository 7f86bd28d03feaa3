"""Wakes tasks on time with a kernel timer, as the event loop's own timer has a resolution of 1 ms on Linux.

``docs/emulator.md`` has measurements, with one wake-up every 10 ms.
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

from stinger.units import NS_PER_S

MAX_LEAD_NS: Final = 200_000
"""Largest lead: how much earlier than needed the timer is set."""
IDLE_NS: Final = 1_000_000
"""A processor that was idle for this long takes time to wake up; after a shorter wait the timer is set without a lead."""

_LEAD_STEP_NS: Final = 5_000
_EARLY_SHARE: Final = 0.1
_HAS_KERNEL_TIMER: Final = sys.platform == "linux"
_ABSOLUTE: Final = 1  # TFD_TIMER_ABSTIME


class WakeupTimer:
    """Wakes any number of tasks of the running event loop, each at its time on ``time.monotonic_ns()``.

    A process wakes later than its timer fires, on a virtual machine by some 0.1 ms. So the timer is set earlier, by the
    delay that nine of ten wake-ups exceed; the tenth, which comes early, spends the microseconds left in a busy loop.
    Without ``kernel_timer`` the event loop's own timer is used.
    """

    def __init__(self, *, kernel_timer: bool = _HAS_KERNEL_TIMER) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._lead_ns = 0.0
        self._set_ns = 0
        self._idle_before = False
        self._timer: _KernelTimer | _LoopTimer
        self._timer = _KernelTimer(self._loop, self._fire) if kernel_timer else _LoopTimer(self._loop, self._fire)

    async def wait_until(self, due_ns: int) -> None:
        """Return at ``due_ns``, never earlier; if that has passed, return at once, without yielding to the loop."""
        if due_ns <= time.monotonic_ns():
            return
        woken: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(self._waiting, (due_ns, next(self._order), woken))
        if self._waiting[0][2] is woken:
            self._set(due_ns)
        await woken

    def close(self) -> None:
        """Release the timer; tasks that are still waiting are never woken."""
        self._timer.close()

    def _fire(self) -> None:
        now_ns = time.monotonic_ns()
        if self._idle_before:
            self._adapt_lead(now_ns - self._set_ns)
            if self._waiting and self._waiting[0][0] - now_ns <= MAX_LEAD_NS:
                while (now_ns := time.monotonic_ns()) < self._waiting[0][0]:
                    pass
        while self._waiting and self._waiting[0][0] <= now_ns:
            woken = heapq.heappop(self._waiting)[2]
            if not woken.done():  # done already if its task was cancelled
                woken.set_result(None)
        if self._waiting:
            self._set(self._waiting[0][0])

    def _set(self, due_ns: int) -> None:
        self._idle_before = due_ns - time.monotonic_ns() > IDLE_NS
        self._set_ns = due_ns - int(self._lead_ns) if self._idle_before else due_ns
        self._timer.set(self._set_ns)

    def _adapt_lead(self, late_ns: int) -> None:
        """Move the lead towards the lateness that one in ten wake-ups stays below."""
        self._lead_ns += _LEAD_STEP_NS * (_EARLY_SHARE if late_ns > self._lead_ns else _EARLY_SHARE - 1)
        self._lead_ns = min(max(self._lead_ns, 0.0), MAX_LEAD_NS)


class _LoopTimer:
    """The event loop's own timer, for systems without a better one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_fire: Callable[[], None]) -> None:
        self._loop = loop
        self._on_fire = on_fire
        self._handle: asyncio.TimerHandle | None = None

    def set(self, due_ns: int) -> None:
        self.close()
        self._handle = self._loop.call_at(due_ns / NS_PER_S, self._on_fire)

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
    """A Linux timerfd, called through the C library: Python has it only since 3.13."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_fire: Callable[[], None]) -> None:
        self._loop = loop
        self._on_fire = on_fire
        self._library = ctypes.CDLL(None, use_errno=True)
        self._fd = self._library.timerfd_create(time.CLOCK_MONOTONIC, os.O_CLOEXEC | os.O_NONBLOCK)
        self._check(self._fd)
        loop.add_reader(self._fd, self._expired)

    def set(self, due_ns: int) -> None:
        spec = _Timerspec(0, 0, due_ns // NS_PER_S, due_ns % NS_PER_S)
        self._check(self._library.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(spec), None))

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _expired(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # set again between its expiry and now
            return
        self._on_fire()

    @staticmethod
    def _check(result: int) -> None:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
