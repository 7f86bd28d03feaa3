"""When a sample was taken, on the host's clock: told from when samples arrived and what the device's clock said.

An arrival is the moment of taking, seen on the host's clock, plus a delay that is never negative and now and then nearly
nothing. So the true relation of both clocks is a straight line just under all arrivals. Of all such lines the one with
the least sum of delays is taken; it runs along the edge of the points' lower convex hull over their mean. Source: S. Moon,
P. Skelly, D. Towsley, "Estimation and Removal of Clock Skew from Network Delay Measurements", INFOCOM 1999.

What cannot be told is the shortest delay itself: every sample is that much older than its age says.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

BUCKETS: Final = 64
"""Earliest arrivals kept, one for each stretch of time; when there are as many, each stretch becomes twice as long."""
FIRST_BUCKET_MS: Final = 250.0
LONGEST_BUCKET_MS: Final = 4000.0
"""So the line goes back 256 s at most: the crystals' drift changes with temperature, within minutes."""

RATE_AFTER_BUCKETS: Final = 8
"""Before there are as many, the device's clock counts as running at the host's speed."""
RATE_MAX_OFF: Final = 0.1
"""Crystals differ by 0.01% at most, but the old text stream's clock is a count of rows, which can be off by percents."""

EARLY_MS: Final = 25.0
"""An arrival so far under the line cannot be drift: a clock has stepped, or all arrivals before were late."""
LATE_MS: Final = 1000.0
LATE_FOR_MS: Final = 10_000.0
"""When for so long nothing has come less than LATE_MS after its time, the device's clock must have stood still."""


class _Point(NamedTuple):
    device_ms: float
    late_ms: float
    """Arrival minus device time, both from the first point on."""


class DeviceClock:
    """One device's clock against the host's monotonic one, from one :meth:`restart` to the next.

    ``rate_off`` is how much slower the device's clock runs than the host's: 50e-6 is 50 microseconds a second.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget everything: the device's clock has started over."""
        self.rate_off = 0.0
        self._origin_device_ms = 0.0
        self._origin_read_ns = 0
        self._points: list[_Point] = []
        self._lowest: _Point | None = None  # of the bucket that is being filled
        self._lowest_height = 0.0
        self._bucket_ms = FIRST_BUCKET_MS
        self._bucket_end_ms = 0.0
        self._offset_ms = 0.0  # of the line, where device time is 0
        self._late_since_ms: float | None = None

    def height_ms(self, device_ms: float, read_ns: int) -> float | None:
        """How late something of ``device_ms`` is if it arrives at ``read_ns``; ``None`` while nothing is known."""
        if self._lowest is None:
            return None
        point = self._point(device_ms, read_ns)
        return point.late_ms - self._line(point.device_ms)

    def observe(self, device_ms: float, read_ns: int) -> None:
        """Learn that the newest sample of a block, taken at ``device_ms`` (wraps undone), arrived at ``read_ns``."""
        if self._lowest is None:
            self._begin(device_ms, read_ns)
            return
        point = self._point(device_ms, read_ns)
        height = point.late_ms - self._line(point.device_ms)
        if height < -EARLY_MS or self._stood_still(point, height):
            self.restart()
            self._begin(device_ms, read_ns)
            return
        if height < 0:
            self._offset_ms += height
        if point.device_ms >= self._bucket_end_ms:
            self._close_bucket(point)
        elif point.late_ms - self.rate_off * point.device_ms < self._lowest_height:
            self._lowest, self._lowest_height = point, point.late_ms - self.rate_off * point.device_ms

    def taken_ns(self, device_ms: Sequence[float]) -> list[float]:
        """When samples of these device times were taken, in ns of the host's monotonic clock."""
        # Live blocks are short, and for those plain numbers are faster than arrays.
        ns_per_ms = (1.0 + self.rate_off) * 1e6
        begin_ns = self._origin_read_ns + self._offset_ms * 1e6 - self._origin_device_ms * ns_per_ms
        return [begin_ns + time_ms * ns_per_ms for time_ms in device_ms]

    def _begin(self, device_ms: float, read_ns: int) -> None:
        self._origin_device_ms, self._origin_read_ns = device_ms, read_ns
        self._lowest = _Point(0.0, 0.0)
        self._bucket_end_ms = self._bucket_ms

    def _point(self, device_ms: float, read_ns: int) -> _Point:
        since_ms = device_ms - self._origin_device_ms
        return _Point(since_ms, (read_ns - self._origin_read_ns) / 1e6 - since_ms)

    def _line(self, device_ms: float) -> float:
        return self._offset_ms + self.rate_off * device_ms

    def _stood_still(self, point: _Point, height: float) -> bool:
        if height < LATE_MS:
            self._late_since_ms = None
        elif self._late_since_ms is None:
            self._late_since_ms = point.device_ms
        return self._late_since_ms is not None and point.device_ms - self._late_since_ms > LATE_FOR_MS

    def _close_bucket(self, point: _Point) -> None:
        """Keep the lowest point of the bucket that has ended, begin the next one with ``point``, fit the line again."""
        assert self._lowest is not None
        self._points.append(self._lowest)
        if len(self._points) > BUCKETS:
            self._make_room()
        oldest_ms = point.device_ms - BUCKETS * LONGEST_BUCKET_MS
        while self._points and self._points[0].device_ms < oldest_ms:
            del self._points[0]
        self._lowest = point
        self._bucket_end_ms = point.device_ms + self._bucket_ms
        self._fit()
        self._lowest_height = point.late_ms - self.rate_off * point.device_ms

    def _make_room(self) -> None:
        if self._bucket_ms >= LONGEST_BUCKET_MS:
            del self._points[0]
            return
        self._bucket_ms *= 2.0
        pairs = zip(self._points[::2], self._points[1::2], strict=False)
        odd = self._points[-1:] if len(self._points) % 2 else []
        self._points = [min(pair, key=lambda p: p.late_ms - self.rate_off * p.device_ms) for pair in pairs] + odd

    def _fit(self) -> None:
        """Lay the line along the edge of the lower hull over the middle of the points, or, at first, under the lowest."""
        assert self._lowest is not None
        points = [*self._points, self._lowest]
        if len(points) > RATE_AFTER_BUCKETS:
            rate = _slope(points)
            self.rate_off = max(-RATE_MAX_OFF, min(RATE_MAX_OFF, rate))
        self._offset_ms = min(late_ms - self.rate_off * device_ms for device_ms, late_ms in points)


def _slope(points: list[_Point]) -> float:
    """Of the lower hull's edge over the mean device time of ``points``, which ascend in it; at least two of them."""
    hull: list[_Point] = []
    for x, y in points:
        while len(hull) >= 2:  # noqa: PLR2004 - two points make an edge
            (ax, ay), (bx, by) = hull[-2], hull[-1]
            if (by - ay) * (x - ax) < (y - ay) * (bx - ax):
                break
            hull.pop()
        hull.append(_Point(x, y))
    middle = sum(x for x, _ in points) / len(points)
    for (ax, ay), (bx, by) in pairwise(hull):
        if bx >= middle:
            return (by - ay) / (bx - ax)
    return 0.0
