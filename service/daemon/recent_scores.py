"""The scores of the last seconds of one device."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Final

import numpy as np
import numpy.typing as npt

KEPT_SAMPLES: Final = 200
"""At least this many scores before those that were added last are kept: two seconds."""

_Times = npt.NDArray[np.integer[Any]]
_Scores = npt.NDArray[np.float32]


class RecentScores:
    """Keeps scores in order of time, and finds the highest of a stretch of time with :meth:`peak`.

    After :meth:`mark`, the highest score since the mark stays known when the scores themselves are no longer kept. The
    arrays are kept as they were added, not copied: the caller must not change them afterwards.
    """

    def __init__(self) -> None:
        self._added: deque[tuple[_Times, _Scores]] = deque()
        self._count = 0
        self._mark_ms: int | None = None
        self._dropped_peak = math.nan  # the highest score since the mark among those no longer kept

    def clear(self) -> None:
        """Forget all scores and the mark."""
        self._added.clear()
        self._count = 0
        self.unmark()

    def add(self, time_ms: _Times, scores: _Scores) -> None:
        """Add the next scores ``(n,)``, NaN for a sample without one."""
        size = time_ms.shape[0]
        if not size:
            return
        added, count = self._added, self._count
        # Events among the new scores may need the two seconds before them, however many are added at a time.
        while added and count - (oldest := added[0][0].shape[0]) >= KEPT_SAMPLES:
            count -= oldest
            self._drop(*added.popleft())
        added.append((time_ms, scores))
        self._count = count + size

    def mark(self, time_ms: int) -> None:
        """Keep the highest score since ``time_ms``, whose score must still be kept, until another mark."""
        self._mark_ms, self._dropped_peak = time_ms, math.nan

    def unmark(self) -> None:
        """End the effect of :meth:`mark`."""
        self._mark_ms, self._dropped_peak = None, math.nan

    def peak(self, from_ms: int, to_ms: int) -> float | None:
        """Return the highest score from ``from_ms`` to ``to_ms``, both included; ``None`` if there is none."""
        before = self._dropped_peak if from_ms == self._mark_ms else math.nan
        if not self._added:
            return None if math.isnan(before) else before
        time_ms = np.concatenate([times for times, _ in self._added])
        scores = np.concatenate([part for _, part in self._added])
        first, end = time_ms.searchsorted((from_ms, to_ms + 1)).tolist()
        highest = float(np.fmax.reduce(scores[first:end], initial=before))
        return None if math.isnan(highest) else highest

    def _drop(self, time_ms: _Times, scores: _Scores) -> None:
        """Take over what the mark needs of scores that are no longer kept."""
        if self._mark_ms is not None:
            first = int(time_ms.searchsorted(self._mark_ms))
            self._dropped_peak = float(np.fmax.reduce(scores[first:], initial=self._dropped_peak))
