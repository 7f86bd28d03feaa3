"""Fits a device's clock to this machine's from the arrivals of its samples alone: a line just below all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stinger.units import NS_PER_MS

STAMP_MS: Final = 1.0
"""Devices stamp samples with whole milliseconds."""
MIN_SAMPLES: Final = 100
"""With fewer samples there is no fit."""

_PPM: Final = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class ClockFit:
    """A line through the fastest samples; ``excess_us`` ``(n,)`` is how much longer than those each sample took.

    How long the fastest samples took cannot be measured. Whole-millisecond stamps make each ``excess_us`` uncertain by
    ``uncertainty_us``.
    """

    drift_ppm: float
    drift_uncertainty_ppm: float
    rate_hz: float
    excess_us: npt.NDArray[np.float64]
    uncertainty_us: float = STAMP_MS * 1000


def fit_clock(scores: npt.NDArray[Any]) -> ClockFit | None:
    """Return the fit to ``scores`` ``(n,)`` of SCORE_DTYPE of one device; ``None`` if there are too few.

    The fit uses the longest stretch in which the device's time only increases.
    """
    scores = scores[scores["read_ns"] > 0]
    scores = _longest_ascending(scores)
    if scores.shape[0] < MIN_SAMPLES:
        return None
    device_ms = (scores["device_ms"] - scores["device_ms"][0]).astype(np.float64)
    host_ms = (scores["read_ns"] - scores["read_ns"][0]) / NS_PER_MS
    left, right = _lower_edge(device_ms, host_ms)
    span_ms = float(device_ms[right] - device_ms[left])
    slope = float(host_ms[right] - host_ms[left]) / span_ms
    excess_ms = host_ms - (host_ms[left] + slope * (device_ms - device_ms[left]))
    return ClockFit(
        drift_ppm=(1 / slope - 1) * _PPM,
        drift_uncertainty_ppm=STAMP_MS / span_ms * _PPM,
        rate_hz=(scores.shape[0] - 1) / float(device_ms[-1]) * 1000,
        excess_us=np.maximum(excess_ms, 0.0) * 1000,
    )


def _longest_ascending(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    cuts = [0, *(np.flatnonzero(np.diff(scores["device_ms"]) <= 0) + 1).tolist(), scores.shape[0]]
    lengths = np.diff(cuts)
    longest = int(np.argmax(lengths))
    return scores[cuts[longest] : cuts[longest + 1]]


def _lower_edge(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Return two points, ``x`` ascending, on the line that lies below all points and is closest to them on average.

    They are the ends of the edge of the lower convex hull at the mean of ``x``.
    """
    hull: list[int] = []
    for i in range(x.size):
        while len(hull) > 1 and _on_or_above_line(x, y, hull[-2], hull[-1], i):
            hull.pop()
        hull.append(i)
    at = int(np.searchsorted(x[hull], x.mean()))
    return hull[max(0, at - 1)], hull[max(1, at)]


def _on_or_above_line(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], a: int, b: int, c: int) -> bool:
    """Return whether point ``b`` is on or above the line from ``a`` to ``c``."""
    return bool((y[b] - y[a]) * (x[c] - x[a]) >= (y[c] - y[a]) * (x[b] - x[a]))
