"""The newest scores of one device, and the highest of them in a stretch of time."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

KEPT_SAMPLES: Final = 200
"""At least this many of the newest scores are kept: two seconds."""

_Times = npt.NDArray[np.integer[Any]]
_Scores = npt.NDArray[np.float32]


class RecentScores:
    """Keeps scores in order of time, and finds the highest of a stretch of time with :meth:`peak`.

    After :meth:`mark`, the highest score since the mark stays known when the scores themselves are no longer kept.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all scores and the mark."""
        self._time_ms = np.empty(2 * KEPT_SAMPLES, dtype=np.int64)
        self._scores = np.empty(2 * KEPT_SAMPLES, dtype=np.float32)
        self._count = 0
        self._mark_ms: int | None = None
        self._dropped_peak = math.nan  # the highest since the mark of those no longer kept

    def add(self, time_ms: _Times, scores: _Scores) -> None:
        """Add the next scores ``(n,)``, NaN for a sample without one."""
        size = time_ms.shape[0]
        if self._count + size > self._time_ms.shape[0]:
            self._make_room(size)
        end = self._count + size
        self._time_ms[self._count : end] = time_ms
        self._scores[self._count : end] = scores
        self._count = end

    def mark(self, time_ms: int) -> None:
        """Keep the highest score since ``time_ms``, whose score must still be kept, until another mark."""
        self._mark_ms, self._dropped_peak = time_ms, math.nan

    def peak(self, from_ms: int, to_ms: int) -> float | None:
        """Return the highest score from ``from_ms`` to ``to_ms``, both included; ``None`` if there is none."""
        first, end = self._time_ms[: self._count].searchsorted((from_ms, to_ms + 1)).tolist()
        before = self._dropped_peak if from_ms == self._mark_ms else math.nan
        highest = float(np.fmax.reduce(self._scores[first:end], initial=before))
        return None if math.isnan(highest) else highest

    def _make_room(self, size: int) -> None:
        """Drop all but the newest :data:`KEPT_SAMPLES`, so that ``size`` more can be added."""
        kept = min(self._count, KEPT_SAMPLES)
        dropped = self._count - kept
        if self._mark_ms is not None and dropped:
            highest = self.peak(self._mark_ms, int(self._time_ms[dropped - 1]))
            self._dropped_peak = math.nan if highest is None else highest
        time_ms, scores = self._time_ms[dropped : self._count], self._scores[dropped : self._count]
        room = max(2 * KEPT_SAMPLES, kept + size)
        self._time_ms, self._scores = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.float32)
        self._time_ms[:kept], self._scores[:kept] = time_ms, scores
        self._count = kept
