"""A device's clock against this machine's, where the two have none in common: the line under all arrivals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

STAMP_MS: Final = 1.0
"""Devices stamp samples with whole milliseconds."""
FEWEST: Final = 100
"""With fewer samples nothing is said."""

_NS_PER_MS: Final = 1e6
_PPM: Final = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class ClockFit:
    """By the samples that came quickest: ``later_us`` ``(n,)`` is by how much more than those each sample took.

    How long the quickest took cannot be known. Of everything that is ``later_us`` by, ``uncertainty_us`` is due to
    the stamps.
    """

    drift_ppm: float
    drift_uncertainty_ppm: float
    rate_hz: float
    later_us: npt.NDArray[np.float64]
    uncertainty_us: float = STAMP_MS * 1000


def fit_clock(scores: npt.NDArray[Any]) -> ClockFit | None:
    """The fit to ``scores`` ``(n,)`` of SCORE_DTYPE of one device, its longest stretch without a step of time back.

    ``None`` if that is too short.
    """
    scores = scores[scores["read_ns"] > 0]
    scores = _longest_forward(scores)
    if scores.shape[0] < FEWEST:
        return None
    device_ms = (scores["device_ms"] - scores["device_ms"][0]).astype(np.float64)
    host_ms = (scores["read_ns"] - scores["read_ns"][0]) / _NS_PER_MS
    left, right = _edge_under(device_ms, host_ms)
    span_ms = float(device_ms[right] - device_ms[left])
    slope = float(host_ms[right] - host_ms[left]) / span_ms
    later_ms = host_ms - (host_ms[left] + slope * (device_ms - device_ms[left]))
    return ClockFit(
        drift_ppm=(1 / slope - 1) * _PPM,
        drift_uncertainty_ppm=STAMP_MS / span_ms * _PPM,
        rate_hz=(scores.shape[0] - 1) / float(device_ms[-1]) * 1000,
        later_us=np.maximum(later_ms, 0.0) * 1000,
    )


def _longest_forward(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    cuts = [0, *(np.flatnonzero(np.diff(scores["device_ms"]) <= 0) + 1).tolist(), scores.shape[0]]
    lengths = np.diff(cuts)
    longest = int(np.argmax(lengths))
    return scores[cuts[longest] : cuts[longest + 1]]


def _edge_under(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Two points, ``x`` ascending, through which the line goes that is below all others and nearest to them on average.

    They are the edge of the lower convex hull at the mean of ``x``.
    """
    hull: list[int] = []
    for i in range(x.size):
        while len(hull) > 1 and _turns_down(x, y, hull[-2], hull[-1], i):
            hull.pop()
        hull.append(i)
    at = int(np.searchsorted(x[hull], x.mean()))
    return hull[max(0, at - 1)], hull[max(1, at)]


def _turns_down(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], a: int, b: int, c: int) -> bool:
    """Whether point ``b`` is not below the line from ``a`` to ``c``."""
    return bool((y[b] - y[a]) * (x[c] - x[a]) >= (y[c] - y[a]) * (x[b] - x[a]))
