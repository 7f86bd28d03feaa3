"""Charts of latencies: a histogram on a logarithmic time axis, with the latency floor mirrored below it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from hil.record import Latency
from hil.report.formatting import duration_us

_BINS_PER_DECADE: Final = (16, 8)
"""The finest of these for which no histogram of the scenario has buckets wider than a bin, which would leave gaps."""
_ROUNDING: Final = 1.03
"""Tolerance for the ratio of bucket ends, which are rounded to the resolution of the histogram."""
_RESOLVED_US: Final = 50.0
"""Below this, rounding to whole microseconds hides how wide the buckets are."""
_SHORTEST_US: Final = 1.0
"""Shorter times count as this: the clocks do not resolve much less."""
_LONGEST_US: Final = 1e15
_PLOT_WIDTH: Final = 1000.0
_PLOT_HEIGHT: Final = 100.0
_LOWEST_BAR: Final = 3.0
"""Height of the bar of a single value, so that the slowest one stays visible."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled line across the plot at ``left`` percent."""

    left: float
    label: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A latency: its bars as the ``d`` of an SVG path in a box of 1000 by 100, and the marks of its quantiles."""

    latency: Latency
    path: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """The chart of one stage: the latency with the daemon above the axis, the floor below; ``None`` if not measured."""

    stage: str
    measured: Bars | None
    floor: Bars | None
    ticks: tuple[Mark, ...]

    @property
    def latencies(self) -> tuple[Latency, ...]:
        """The latencies that were measured, with the daemon first."""
        return tuple(each.latency for each in (self.measured, self.floor) if each is not None)


def panels(latencies: Sequence[Latency]) -> list[Panel]:
    """Return a panel for each stage, in order, all with the same time axis of whole decades."""
    axis = _Axis.covering(latencies)
    found: dict[str, dict[bool, Latency]] = {}
    for latency in latencies:
        found.setdefault(latency.stage, {})[latency.floor] = latency
    return [
        Panel(
            stage,
            _bars(kinds.get(False), axis, down=False),
            _bars(kinds.get(True), axis, down=True),
            axis.ticks(),
        )
        for stage, kinds in found.items()
    ]


@dataclass(frozen=True, slots=True)
class _Axis:
    low: int
    high: int
    """Powers of ten of a microsecond."""
    bins: int

    @classmethod
    def covering(cls, latencies: Sequence[Latency]) -> _Axis:
        known = [end for latency in latencies for end, _ in latency.buckets]
        known += [value for latency in latencies for value in (latency.p50_us, latency.max_us) if value is not None]
        ends = [math.log10(min(_LONGEST_US, max(_SHORTEST_US, value))) for value in known if math.isfinite(value)]
        low, high = math.floor(min(ends, default=0.0)), math.ceil(max(ends, default=1.0))
        high = max(high, low + 1)
        return cls(low, high, (high - low) * _bins_per_decade(latencies))

    def place(self, value_us: float) -> float:
        """Return the position of a time, from 0 to 1."""
        part = (math.log10(max(_SHORTEST_US, value_us)) - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, part))

    def bin_of(self, upper_end_us: float) -> int:
        """Return the bin of a bucket with this upper end, which is included in the bucket."""
        return max(0, math.ceil(self.place(upper_end_us) * self.bins - 1e-6) - 1)

    def ticks(self) -> tuple[Mark, ...]:
        powers = range(self.low, self.high + 1)
        return tuple(Mark(round(100 * self.place(10.0**power), 2), duration_us(10.0**power)) for power in powers)


def _bins_per_decade(latencies: Sequence[Latency]) -> int:
    spacings = [
        later / earlier
        for latency in latencies
        for (earlier, _), (later, _) in pairwise(latency.buckets)
        if _RESOLVED_US <= earlier < later
    ]
    finest = min(spacings, default=math.inf)
    return next((bins for bins in _BINS_PER_DECADE if finest <= _ROUNDING * 10 ** (1 / bins)), _BINS_PER_DECADE[-1])


def _bars(latency: Latency | None, axis: _Axis, *, down: bool) -> Bars | None:
    if latency is None:
        return None
    marks = tuple(
        Mark(round(100 * axis.place(value), 2), f"{name} {duration_us(value)}")
        for name, value in (("p50", latency.p50_us), ("p99", latency.p99_us))
        if value is not None and math.isfinite(value)
    )
    return Bars(latency, _path(latency, axis, down=down), marks)


def _path(latency: Latency, axis: _Axis, *, down: bool) -> str:
    """Return the bars, scaled to the tallest one, so that shapes can be compared independent of the counts."""
    counts = [0] * axis.bins
    for end_us, number in latency.buckets:
        counts[axis.bin_of(end_us)] += number
    tallest = max(counts)
    width = _PLOT_WIDTH / axis.bins
    parts = []
    for position, number in enumerate(counts):
        if number > 0:
            height = max(_LOWEST_BAR, _PLOT_HEIGHT * number / tallest)
            base, top = (0.0, height) if down else (_PLOT_HEIGHT, _PLOT_HEIGHT - height)
            parts.append(f"M{position * width:.1f} {base:g}V{top:.1f}h{width:.1f}V{base:g}z")
    return "".join(parts)
