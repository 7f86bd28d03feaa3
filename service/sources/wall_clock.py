"""The host's wall clock for things that are timed by its monotonic one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

SLEW: Final = 0.1
"""How fast a step of the wall clock is taken over: so many seconds a second, less than 1 so that time never goes back."""
SET_S: Final = 60.0
"""A step longer than this is the clock being set, as on a board without a battery, and is followed at once."""

_NS: Final = 1_000_000_000


class WallClock:
    """Unix time for monotonic time. A step of the system's wall clock of up to a minute becomes a slow turn.

    Readings of both clocks can be replaced; the defaults are the system's, in nanoseconds.
    """

    def __init__(
        self, monotonic_ns: Callable[[], int] = time.monotonic_ns, time_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._time_ns = time_ns
        self._read_ns = monotonic_ns()
        self._offset_ns = time_ns() - self._read_ns

    def offset_s(self) -> float:
        """What to add to a monotonic time in seconds to have Unix time, as of now."""
        now_ns = self._monotonic_ns()
        away_ns = self._time_ns() - now_ns - self._offset_ns
        turn_ns = int(SLEW * (now_ns - self._read_ns))
        self._read_ns = now_ns
        if abs(away_ns) > SET_S * _NS:
            self._offset_ns += away_ns
        else:
            self._offset_ns += max(-turn_ns, min(turn_ns, away_ns))
        return self._offset_ns / _NS

    def now_s(self) -> float:
        """Unix time now, without the steps."""
        offset_s = self.offset_s()
        return self._read_ns / _NS + offset_s


HOST_CLOCK: Final = WallClock()
"""The one that all sources go by: a sample's age is ``HOST_CLOCK.now_s()`` less its ``taken_s``."""
