"""Estimates when a sample was taken, on the host's clock, from device timestamps and arrival times.

A sample's arrival is the time at which it was taken plus a delay, which is never negative and occasionally close to
zero. If arrivals are plotted over device time, the true relation of both clocks is therefore a straight line just below
all points. Of all such lines, the one with the smallest sum of delays is used; it contains the edge of the points'
lower convex hull that lies below their mean. Source: S. Moon, P. Skelly, D. Towsley, "Estimation and Removal of Clock
Skew from Network Delay Measurements", INFOCOM 1999.

The shortest delay itself cannot be measured this way: every sample is older than estimated by that delay.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from stinger.units import NS_PER_MS

BUCKETS: Final = 64
"""Number of points kept, the earliest arrival of each interval; when all are used, the interval doubles."""
FIRST_BUCKET_MS: Final = 250.0
LONGEST_BUCKET_MS: Final = 4000.0
"""Limits the fit to the last 256 s: the crystals' drift changes with temperature, within minutes."""

FIT_EVERY_MS: Final = 1000.0
"""The line is fitted at most this often; in between, an earlier arrival only moves it down."""
RATE_AFTER_BUCKETS: Final = 8
"""Until there are this many points, the device's clock is assumed to run at the host's rate."""
RATE_MAX_OFF: Final = 0.1
"""Largest difference of rates. Crystals differ by 0.01% at most, but the clock of the old text stream is a count of
rows, which can be wrong by several percent."""

EARLY_MS: Final = 25.0
"""An arrival this far below the line cannot be drift: a clock has stepped, or all earlier arrivals were late."""
LATE_MS: Final = 1000.0
LATE_FOR_MS: Final = 10_000.0
"""If every arrival has been at least LATE_MS late for LATE_FOR_MS, the device's clock must have been stopped for a
while.
"""


class _Point(NamedTuple):
    device_ms: float
    late_ms: float
    """Arrival time minus device time, both counted from the first point."""


class DeviceClock:
    """The relation of one device's clock to the host's monotonic clock, since the last :meth:`restart`.

    ``rate_off`` is how much slower the device's clock runs than the host's: 50e-6 is 50 microseconds per second.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Discard all observations: the device's clock has started over."""
        self.rate_off = 0.0
        self._origin_device_ms = 0.0
        self._origin_read_ns = 0
        self._points: list[_Point] = []
        self._points_ms = 0.0  # the sum of their device times
        self._hull: list[_Point] = []  # their lower convex hull
        self._lowest: _Point | None = None  # of the bucket that is being filled
        self._lowest_late_ms = 0.0  # its lateness without the drift
        self._bucket_ms = FIRST_BUCKET_MS
        self._bucket_end_ms = 0.0
        self._fit_due_ms = 0.0
        self._offset_ms = 0.0  # of the line, at device time 0
        self._late_since_ms: float | None = None

    def lateness_ms(self, device_ms: float, read_ns: int) -> float | None:
        """Return how late a sample of ``device_ms`` is if it arrives at ``read_ns``.

        ``None`` before any observation.
        """
        if self._lowest is None:
            return None
        since_ms = device_ms - self._origin_device_ms
        late_ms = (read_ns - self._origin_read_ns) / NS_PER_MS - since_ms
        return late_ms - (self._offset_ms + self.rate_off * since_ms)

    def observe(self, device_ms: float, read_ns: int) -> None:
        """Record that the newest sample of a block, stamped ``device_ms`` (wraps undone), arrived at ``read_ns``."""
        if self._lowest is None:
            self._begin(device_ms, read_ns)
            return
        # Called for each block: plain numbers, without the calls and tuples that only other cases need.
        since_ms = device_ms - self._origin_device_ms
        late_ms = (read_ns - self._origin_read_ns) / NS_PER_MS - since_ms
        late_by_drift_ms = self.rate_off * since_ms
        above_ms = late_ms - (self._offset_ms + late_by_drift_ms)
        if above_ms < LATE_MS:
            self._late_since_ms = None
        elif self._late_since_ms is None:
            self._late_since_ms = since_ms
        if above_ms < -EARLY_MS or self._has_stopped(since_ms):
            self.restart()
            self._begin(device_ms, read_ns)
            return
        if above_ms < 0:
            self._offset_ms += above_ms
        if since_ms >= self._bucket_end_ms:
            self._close_bucket(_Point(since_ms, late_ms))
        elif late_ms - late_by_drift_ms < self._lowest_late_ms:
            self._lowest, self._lowest_late_ms = _Point(since_ms, late_ms), late_ms - late_by_drift_ms

    def taken_ns(self, device_ms: Sequence[float]) -> list[float]:
        """Return when samples of these device times were taken, in ns of the host's monotonic clock."""
        # Live blocks are short, and plain numbers are then faster than arrays.
        ns_per_ms = (1.0 + self.rate_off) * 1e6
        begin_ns = self._origin_read_ns + self._offset_ms * 1e6 - self._origin_device_ms * ns_per_ms
        return [begin_ns + time_ms * ns_per_ms for time_ms in device_ms]

    def _begin(self, device_ms: float, read_ns: int) -> None:
        self._origin_device_ms, self._origin_read_ns = device_ms, read_ns
        self._lowest = _Point(0.0, 0.0)
        self._bucket_end_ms = self._bucket_ms

    def _has_stopped(self, since_ms: float) -> bool:
        return self._late_since_ms is not None and since_ms - self._late_since_ms > LATE_FOR_MS

    def _close_bucket(self, point: _Point) -> None:
        """Keep the lowest point of the finished bucket, begin the next bucket with ``point``, and fit the line again."""
        assert self._lowest is not None
        self._points.append(self._lowest)
        self._points_ms += self._lowest.device_ms
        _extend_hull(self._hull, self._lowest)
        oldest_ms = point.device_ms - BUCKETS * LONGEST_BUCKET_MS
        if len(self._points) > BUCKETS or self._points[0].device_ms < oldest_ms:
            self._drop_points(oldest_ms)
        self._lowest = point
        self._bucket_end_ms = point.device_ms + self._bucket_ms
        if point.device_ms >= self._fit_due_ms:
            self._fit_due_ms = point.device_ms + FIT_EVERY_MS
            self._fit()
        self._lowest_late_ms = point.late_ms - self.rate_off * point.device_ms

    def _drop_points(self, oldest_ms: float) -> None:
        """Drop points until there are no more than BUCKETS, and none before ``oldest_ms``."""
        if len(self._points) > BUCKETS:
            self._merge_buckets()
        while self._points and self._points[0].device_ms < oldest_ms:
            del self._points[0]
        self._points_ms = sum([point.device_ms for point in self._points])
        self._hull = []
        for point in self._points:
            _extend_hull(self._hull, point)

    def _merge_buckets(self) -> None:
        if self._bucket_ms >= LONGEST_BUCKET_MS:
            del self._points[0]
            return
        self._bucket_ms *= 2.0
        pairs = zip(self._points[::2], self._points[1::2], strict=False)
        odd = self._points[-1:] if len(self._points) % 2 else []
        self._points = [min(pair, key=lambda p: p.late_ms - self.rate_off * p.device_ms) for pair in pairs] + odd

    def _fit(self) -> None:
        """Fit the line to the edge of the lower hull below the mean, or, with few points, below the lowest point at rate 0."""
        assert self._lowest is not None
        hull = self._hull.copy()
        _extend_hull(hull, self._lowest)
        count = len(self._points) + 1
        if count > RATE_AFTER_BUCKETS:
            mean_ms = (self._points_ms + self._lowest.device_ms) / count
            self.rate_off = max(-RATE_MAX_OFF, min(RATE_MAX_OFF, _slope(hull, mean_ms)))
        self._offset_ms = min([late_ms - self.rate_off * device_ms for device_ms, late_ms in hull])


def _extend_hull(hull: list[_Point], point: _Point) -> None:
    """Add ``point``, the last one in device time, to the lower convex hull of those before it."""
    x, y = point
    while len(hull) >= 2:  # noqa: PLR2004 - two points make an edge
        (ax, ay), (bx, by) = hull[-2], hull[-1]
        if (by - ay) * (x - ax) < (y - ay) * (bx - ax):
            break
        hull.pop()
    hull.append(point)


def _slope(hull: list[_Point], device_ms: float) -> float:
    """Return the slope of the edge at ``device_ms`` of a lower hull of two or more points."""
    for (ax, ay), (bx, by) in pairwise(hull):
        if bx >= device_ms:
            return (by - ay) / (bx - ax)
    return 0.0
