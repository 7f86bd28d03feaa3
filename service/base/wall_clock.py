"""Converts the host's monotonic time to Unix time, without the jumps of the system's wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from stinger.units import NS_PER_S

SLEW: Final = 0.1
"""Seconds per second by which a step of the wall clock is followed; less than 1, so that time never goes back."""
SET_S: Final = 60.0
"""A longer step means that the clock was set, as on a board without a battery, and is followed at once."""


def clock_zero_ms(taken_s: float, device_ms: int) -> int:
    """Return the Unix time in ms at which a device's clock was 0.

    The clock was ``device_ms`` at the Unix time ``taken_s``. The time is rounded down to ms before, as in the name of a
    recording.
    """
    return round(taken_s * 1e6) // 1000 - device_ms


class WallClock:
    """Unix time for monotonic times. A step of the system's wall clock of up to a minute is followed gradually.

    Both clocks can be replaced, for tests; they return nanoseconds.
    """

    def __init__(
        self, monotonic_ns: Callable[[], int] = time.monotonic_ns, time_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._time_ns = time_ns
        self._read_ns = monotonic_ns()
        self._offset_ns = time_ns() - self._read_ns

    def offset_s(self) -> float:
        """Follow the wall clock, and return what to add now to a monotonic time to get Unix time, in seconds."""
        now_ns = self._monotonic_ns()
        error_ns = self._time_ns() - now_ns - self._offset_ns
        slew_ns = int(SLEW * (now_ns - self._read_ns))
        self._read_ns = now_ns
        if abs(error_ns) > SET_S * NS_PER_S:
            self._offset_ns += error_ns
        else:
            self._offset_ns += max(-slew_ns, min(slew_ns, error_ns))
        return self._offset_ns / NS_PER_S

    def now_s(self) -> float:
        """Return the Unix time now, in seconds."""
        offset_s = self.offset_s()
        return self._read_ns / NS_PER_S + offset_s


HOST_CLOCK: Final = WallClock()
"""The daemon's clock: everything that it publishes or records is dated by it. Durations are measured on the monotonic
clock.
"""
