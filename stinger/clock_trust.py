"""Whether the clock of a device can be used.

A clock that starts over again and again does not show when samples were taken. The rule is one for files and live
streams. Each start over uses up trust, one after less than a window of samples ten times as much; samples restore it.
So a hundred reboots, or ten short ones, are taken as such, but not one at every few samples, as with a clock that runs
backwards or is random.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

STEADY_SAMPLES: Final = 1000
"""After this many samples in a row whose times do not go back, 10 s, a clock can be used again."""
_TRUST: Final = 100.0
_SHORT_SAMPLES: Final = 50
_COST: Final = 1.0
_SHORT_COST: Final = 10.0


class ClockTrust:
    """The trust in the clock of one device. It is ``usable`` at first."""

    __slots__ = ("_newest_ms", "_run", "_trust", "usable")

    def __init__(self) -> None:
        self.usable = True
        self._trust = _TRUST
        self._newest_ms = 0
        self._run = 0

    def start_over(self, samples: int) -> None:
        """Record that the clock started over after ``samples`` samples."""
        self._trust = min(_TRUST, self._trust + samples / STEADY_SAMPLES)
        self._trust -= _SHORT_COST if samples < _SHORT_SAMPLES else _COST
        if self._trust < 0:
            self.usable = False
            self._trust = 0.0
            self._run = 0

    def steady_from(self, times_ms: Sequence[int]) -> int | None:
        """Take the times of further samples while the clock is not usable.

        Returns the index of the sample from which on it is usable again; ``None`` if it still is not.
        """
        for index, time_ms in enumerate(times_ms):
            self._run = self._run + 1 if time_ms >= self._newest_ms else 1
            self._newest_ms = time_ms
            if self._run >= STEADY_SAMPLES:
                self.usable = True
                return index
        return None


def steady_start(irregular: Sequence[int], begin: int, count: int) -> int:
    """Return from which sample on the clock is usable again in a file of ``count`` samples, ``count`` if never.

    ``irregular`` are the indices of samples whose time goes back, ascending; the clock is not usable at ``begin``.
    Unlike live, the samples that show that the clock is steady are used as well: they are known from the first one on.
    """
    for first, after in pairwise([*(index for index in irregular if index >= begin), count]):
        if after - first >= STEADY_SAMPLES:
            return first
    return count
