"""The resolution of most clocks on Windows, before Python 3.13."""

from __future__ import annotations

from typing import Final

TICK_S: Final = 0.015625
_TICK_NS: Final = 15_625_000


def coarse(seconds: float) -> float:
    """Return the time as such a clock shows it."""
    return seconds // TICK_S * TICK_S


def coarse_ns(nanoseconds: int) -> int:
    """Return the time as such a clock shows it."""
    return nanoseconds // _TICK_NS * _TICK_NS
