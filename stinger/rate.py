"""The sample rate of a stretch of samples, and whether models can use it.

Files and live streams use the same rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.sample import SAMPLE_RATE_HZ

GAP_STEPS: Final = 5
"""Between two samples that are more than this many time steps apart there is a gap."""
GAP_MS: Final = GAP_STEPS * 1000 // SAMPLE_RATE_HZ
"""The same at 100 Hz."""

RATE_TOLERANCE: Final = 0.05
"""Largest relative difference from 100 Hz at which models can be used: clocks differ."""

_BAND: Final = 0.2
"""Steps within this fraction of the median (or 1 ms, the resolution of timestamps) are regular ones."""
_LONG_QUANTILE: Final = 0.98
_LONG_FACTOR: Final = 2.5
"""A step more than this many times as long as the longest regularly repeated one is a gap (if also longer than GAP_MS)."""
_LONG_MIN: Final = 3
"""A long step counts as regularly repeated only if at least this many steps are longer or equal."""
_PAUSE_MS: Final = 1000
"""A longer step is a pause, even if it occurs often, unless most steps are about as long."""
_EVEN_MIN: Final = 0.85
"""Smallest fraction of regular steps in an even stream. If more samples are lost, only the samples that remain are
counted.
"""
_SHORT_MAX: Final = 0.02
"""Largest fraction of shorter steps in an even stream."""
_MULTIPLE_TOLERANCE: Final = 0.2
_MULTIPLES_MIN: Final = 0.8
"""Smallest fraction of the longer steps of an even stream that are multiples of the regular one, as lost samples cause."""
_TIME_FACTOR: Final = 0.9
_UNIFORM: Final = 0.98


@dataclass(frozen=True, slots=True)
class SampleRate:
    """The rate of a stretch of samples, by its timestamps.

    ``step_ms`` is the time between two samples, ``None`` where it is unknown. ``tick_ms`` is the step in which most of
    the time advances: much longer than ``step_ms`` where many samples have the same timestamp.
    """

    step_ms: float | None
    tick_ms: float = 0.0

    @property
    def hz(self) -> float | None:
        """Samples per second; ``None`` where it is unknown."""
        return None if self.step_ms is None else 1000.0 / self.step_ms

    @property
    def is_served(self) -> bool:
        """Whether it is about 100 Hz; False where it is unknown."""
        return self.hz is not None and serves_rate(self.hz)

    @property
    def problem(self) -> str | None:
        """Why models cannot score or learn from these samples, as a phrase to follow "has"; ``None`` if they can."""
        if self.hz is None:
            return "no known sample rate: its time does not advance"
        if not serves_rate(self.hz):
            return f"{rate_text(self.hz)} samples a second; models take {SAMPLE_RATE_HZ}"
        if self.tick_ms > GAP_MS:
            return f"timestamps in steps of {self.tick_ms:g} ms; models take steps of at most {GAP_MS} ms"
        return None


UNKNOWN_RATE: Final = SampleRate(None)


def serves_rate(rate_hz: float) -> bool:
    """Return whether models can be used on samples at ``rate_hz``: within 5 % of 100 Hz.

    >>> serves_rate(100.0), serves_rate(96.0), serves_rate(50.0)
    (True, True, False)
    """
    return abs(rate_hz / SAMPLE_RATE_HZ - 1) <= RATE_TOLERANCE


def rate_text(rate_hz: float) -> str:
    """Return a rate for people.

    >>> rate_text(100.0), rate_text(99.97), rate_text(62.5), rate_text(0.0123)
    ('100', '100', '62.5', '0.0123')
    """
    return f"{round(rate_hz, 1):g}" if rate_hz >= 1 else f"{rate_hz:.3g}"


def measure_rate(time_ms: npt.NDArray[np.int64]) -> SampleRate:
    """Return the rate of samples at ``time_ms`` ``(n,)``, ascending, in ms.

    If steps are even except for lost samples, it is that of the regular step, unless models can use only what remains
    of it. Elsewhere (timestamps of a coarse clock, bursts, batches with one timestamp, jitter) it is the number of
    samples over the time that they cover, without gaps.

    >>> measure_rate(np.arange(100) * 10).hz
    100.0
    >>> measure_rate(np.arange(100) * 10 // 16 * 16).hz  # a clock of 16 ms
    100.0
    """
    steps = np.diff(time_ms)
    if not steps.size or time_ms[-1] == time_ms[0]:
        return UNKNOWN_RATE
    middle = int(steps[steps.size // 2])
    if middle > _LONG_MIN and np.count_nonzero(steps == middle) >= _UNIFORM * steps.size:
        return SampleRate(float(middle), float(middle))
    longest = _longest_regular(steps)
    joined = steps[steps <= max(_LONG_FACTOR * longest, GAP_MS)]
    regular_ms = _even_step(joined)
    if regular_ms is not None:
        regular = SampleRate(regular_ms, regular_ms)
        if regular.is_served:
            return regular
    uneven = _uneven(time_ms, steps, longest)
    if regular_ms is not None and not uneven.is_served:
        return regular
    return uneven


def _longest_regular(steps: npt.NDArray[np.int64]) -> float:
    """Return the longest step that repeats regularly: a far longer one is a gap."""
    ascending = np.sort(steps)
    median = float(ascending[steps.size // 2])
    ascending = ascending[ascending <= max(_PAUSE_MS, GAP_STEPS * median)]
    position = max(0, min(int(_LONG_QUANTILE * (ascending.size - 1)), ascending.size - 1 - _LONG_MIN))
    return max(float(ascending[position]), median)


def _even_step(steps: npt.NDArray[np.int64]) -> float | None:
    """Return the mean of the regular steps; ``None`` if the steps are uneven, for other reasons than lost samples."""
    median = float(np.median(steps)) if steps.size else 0.0
    if median <= 0:
        return None
    width = max(_BAND * median, 1.0)
    regular = np.abs(steps - median) <= width
    share = np.count_nonzero(regular) / steps.size
    if share < _EVEN_MIN or np.count_nonzero(steps < median - width) > _SHORT_MAX * steps.size:
        return None
    step_ms = float(steps[regular].mean())
    longer = steps[steps > median + width] / step_ms
    # Samples lost at random leave this part of the time in regular steps; bursts leave far less.
    if steps[regular].sum() < _TIME_FACTOR * share**2 * steps.sum():
        return None
    if longer.size and np.count_nonzero(np.abs(longer - np.rint(longer)) <= _MULTIPLE_TOLERANCE) < (
        _MULTIPLES_MIN * longer.size
    ):
        return None
    return step_ms if step_ms > 0 else None


def _uneven(time_ms: npt.NDArray[np.int64], steps: npt.NDArray[np.int64], longest: float) -> SampleRate:
    """Return the rate of samples over time, counted from long step to long step so that no batch is counted in part."""
    positive = steps[steps > 0]
    if longest <= 0:
        longest = float(np.median(positive))
    gap_ms = max(_LONG_FACTOR * longest, GAP_MS)
    gaps = np.flatnonzero(steps > gap_ms)
    ends = np.flatnonzero((steps >= longest / 2) & (steps <= gap_ms))  # index of the last sample before a long step
    count, covered_ms = 0, 0
    if ends.size:
        segment = np.searchsorted(gaps, ends)
        edges = np.flatnonzero(np.diff(segment)) + 1
        for first, last in zip([0, *edges.tolist()], [*(edges - 1).tolist(), ends.size - 1], strict=True):
            count += int(ends[last] - ends[first])
            covered_ms += int(time_ms[ends[last]] - time_ms[ends[first]])
    if not count or not covered_ms:
        return UNKNOWN_RATE
    joined = np.sort(positive[positive <= gap_ms])
    by_time = np.cumsum(joined)
    tick_ms = float(joined[np.searchsorted(by_time, by_time[-1] / 2)])
    return SampleRate(covered_ms / count, tick_ms)
