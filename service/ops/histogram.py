"""A histogram of durations, with fixed buckets."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from service.ops.exposition import histogram_rows
from stinger.units import NS_PER_S


class Histogram:
    """A histogram of durations.

    ``bounds_s`` are the upper bounds of its buckets, in seconds; one more is above them all.
    """

    __slots__ = ("_bounds_ns", "bounds_s", "counts", "sum_ns")

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.bounds_s = bounds_s
        self._bounds_ns = tuple(round(bound * NS_PER_S) for bound in bounds_s)
        self.counts = [0] * (len(bounds_s) + 1)
        """Number of durations per bucket: up to each bound and above the one before; the last is above all bounds."""
        self.sum_ns = 0

    def observe(self, duration_ns: int, count: int = 1) -> None:
        """Add ``duration_ns``, ``count`` times."""
        self.counts[bisect_left(self._bounds_ns, duration_ns)] += count
        self.sum_ns += duration_ns * count

    def rows(self, labels: str) -> list[str]:
        """Return its rows in Prometheus' text format."""
        return histogram_rows(labels, self.bounds_s, list(accumulate(self.counts)), self.sum_ns / NS_PER_S)
