"""A histogram, of fixed size, of how late samples were written."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import Final

BIN_US: Final = 1
LONGEST_US: Final = 100_000
"""Larger values count as this one; the maximum is kept separately, and exact."""


@dataclass(frozen=True, slots=True)
class LatenessFigures:
    """Quantiles of the lateness in microseconds: from when a sample was due to when it was written."""

    count: int
    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    max_us: float

    def __str__(self) -> str:
        figures = f"p50 {self.p50_us:.0f}, p90 {self.p90_us:.0f}, p99 {self.p99_us:.0f}, p99.9 {self.p999_us:.0f}"
        return f"{figures}, max {self.max_us:.0f} us"


class Lateness:
    """Collects values of the lateness; adding one takes less than a microsecond."""

    def __init__(self) -> None:
        self._bins = array("Q", bytes(8 * (LONGEST_US // BIN_US + 1)))
        self._count = 0
        self._max_ns = 0

    def add(self, late_ns: int) -> None:
        """Add a sample that was written ``late_ns`` after it was due."""
        self._bins[min(max(late_ns, 0) // (1000 * BIN_US), LONGEST_US // BIN_US)] += 1
        self._count += 1
        self._max_ns = max(self._max_ns, late_ns)

    def figures(self) -> LatenessFigures:
        """Return the quantiles so far, exact to a microsecond; without samples, all are NaN."""
        if not self._count:
            return LatenessFigures(0, *(math.nan,) * 5)
        p50, p90, p99, p999 = (self._quantile(part) for part in (0.5, 0.9, 0.99, 0.999))
        return LatenessFigures(self._count, p50, p90, p99, p999, self._max_ns / 1000)

    def _quantile(self, part: float) -> float:
        rank = math.ceil(part * self._count)
        seen = 0
        for position, count in enumerate(self._bins):
            seen += count
            if seen >= rank:
                return min((position + 1) * BIN_US, self._max_ns / 1000)
        raise AssertionError("the bins hold fewer samples than were added")
