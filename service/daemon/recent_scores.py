"""The model's newest outputs for one device, in which the highest of a stretch of time is found quickly."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

REMEMBERED: Final = 200
"""So many samples are kept at least: two seconds."""

Times = npt.NDArray[np.integer[Any]]
Outputs = npt.NDArray[np.float32]


class RecentScores:
    """Takes outputs with :meth:`remember`, in the order of time; :meth:`peak` looks back over those remembered.

    After :meth:`mark` the highest since then stays known, however long ago that is.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self._time_ms = np.empty(2 * REMEMBERED, dtype=np.int64)
        self._outputs = np.empty(2 * REMEMBERED, dtype=np.float32)
        self._count = 0
        self._mark_ms: int | None = None
        self._before = math.nan  # the highest since the mark among what is no longer remembered

    def remember(self, time_ms: Times, outputs: Outputs) -> None:
        """Take the next outputs ``(n,)``, NaN where a sample has none."""
        size = time_ms.shape[0]
        if self._count + size > self._time_ms.shape[0]:
            self._make_room(size)
        end = self._count + size
        self._time_ms[self._count : end] = time_ms
        self._outputs[self._count : end] = outputs
        self._count = end

    def mark(self, time_ms: int) -> None:
        """Keep the highest output from ``time_ms`` on, which must still be remembered, until another mark."""
        self._mark_ms, self._before = time_ms, math.nan

    def peak(self, from_ms: int, to_ms: int) -> float | None:
        """The highest output in a stretch of time, both ends included; ``None`` where there is none."""
        first, end = self._time_ms[: self._count].searchsorted((from_ms, to_ms + 1)).tolist()
        before = self._before if from_ms == self._mark_ms else math.nan
        highest = float(np.fmax.reduce(self._outputs[first:end], initial=before))
        return None if math.isnan(highest) else highest

    def _make_room(self, size: int) -> None:
        """Let all but the newest :data:`REMEMBERED` go, so that ``size`` more can be taken."""
        kept = min(self._count, REMEMBERED)
        gone = self._count - kept
        if self._mark_ms is not None and gone:
            highest = self.peak(self._mark_ms, int(self._time_ms[gone - 1]))
            self._before = math.nan if highest is None else highest
        time_ms, outputs = self._time_ms[gone : self._count], self._outputs[gone : self._count]
        room = max(2 * REMEMBERED, kept + size)
        self._time_ms, self._outputs = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.float32)
        self._time_ms[:kept], self._outputs[:kept] = time_ms, outputs
        self._count = kept
