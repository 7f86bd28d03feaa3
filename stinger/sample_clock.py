"""The rule for timestamps that go back: late samples, wraps of the clock, reboots.

Files and live streams use the same rule.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from stinger.sample import CLOCK_WRAP_MS

WRAP_MAX_STEP_MS: Final = 3_600_000
"""A step back in time is a wrap of the u32 clock if the wrapped step is at most this long, otherwise another boot.

It is as long as an hour because a logger pauses while the blaster lies still, possibly across the wrap.
"""

LATE_MAX_MS: Final = 1000
LATE_MAX_RUN: Final = 4
"""Up to LATE_MAX_RUN consecutive samples, each at most LATE_MAX_MS older than the newest, count as late or repeated and
are dropped. One more counts as a reboot."""


class ClockStep(Enum):
    """How the timestamp of a sample follows the newest one before it."""

    FORWARD = "forward"
    WRAP = "wrap"
    """The 32-bit clock has started over at 0."""
    LATE = "late"
    """Older than the newest sample by a little: late or repeated, to be dropped."""
    REBOOT = "reboot"
    """The device has started again."""


class SampleClock:
    """Follows the timestamps of one device, in ms on its 32-bit clock.

    ``newest_ms`` is the newest one, ``None`` before the first; ``late_run`` is the number of late samples since then.
    """

    __slots__ = ("late_run", "newest_ms")

    def __init__(self, newest_ms: int | None = None) -> None:
        self.newest_ms = newest_ms
        self.late_run = 0

    def advance(self, time_ms: int) -> ClockStep:
        """Advance to the next sample and return how its time follows."""
        newest_ms = self.newest_ms
        if newest_ms is None:
            step = ClockStep.FORWARD
        else:
            step = self._step(newest_ms, time_ms)
            if step is ClockStep.LATE:
                self.late_run += 1
                return step
        self.step_forward(time_ms)
        return step

    def step_forward(self, time_ms: int) -> None:
        """Advance to the next sample, whose time is known to follow."""
        self.late_run = 0
        self.newest_ms = time_ms

    def _step(self, newest_ms: int, time_ms: int) -> ClockStep:
        ahead_ms = (time_ms - newest_ms) % CLOCK_WRAP_MS
        if ahead_ms < CLOCK_WRAP_MS // 2:
            if time_ms >= newest_ms:
                return ClockStep.FORWARD
            return ClockStep.WRAP if ahead_ms <= WRAP_MAX_STEP_MS else ClockStep.REBOOT
        # On a 32-bit clock, a step forward by more than half its range is a step back.
        if CLOCK_WRAP_MS - ahead_ms <= LATE_MAX_MS and self.late_run < LATE_MAX_RUN:
            return ClockStep.LATE
        return ClockStep.REBOOT
