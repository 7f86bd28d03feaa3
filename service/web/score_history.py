"""The scores of one device over the last minutes, with the envelope that the decision follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.decision import Decision
from stinger.sample import SAMPLE_RATE_HZ

LOOK_BACK_S: Final = 300
"""How far back the page shows a device's scores and samples."""
POINT: Final = np.dtype([("time_ms", "<u4"), ("probability", "<f4"), ("envelope", "<f4")])
"""One point as it is sent to the browser."""
_CAPACITY: Final = LOOK_BACK_S * SAMPLE_RATE_HZ
_LARGEST_TIME: Final = 2**32


class ScoreHistory:
    """Keeps the newest :data:`LOOK_BACK_S` of scores of one device, by its clock. A step back in time empties it."""

    def __init__(self) -> None:
        self._points: npt.NDArray[Any] = np.zeros(_CAPACITY, POINT)
        self._count = 0
        self._newest_ms = -1
        self._decision = Decision()
        self.boot = 0
        """Increases whenever the device's clock starts over: points that were read before have times of the earlier clock."""

    def add(self, first_ms: int, period_ms: int, probabilities: Sequence[float | None]) -> None:
        """Add scores, ``None`` for a sample without one. Ignores those whose time no device can have."""
        count = len(probabilities)
        times = first_ms + period_ms * np.arange(count, dtype=np.int64)
        if not count or period_ms <= 0 or first_ms < 0 or times[-1] >= _LARGEST_TIME:
            return
        if first_ms <= self._newest_ms:
            self._count = 0
            self._decision = Decision()
            self.boot += 1
        self._newest_ms = int(times[-1])
        scores = np.array([np.nan if p is None else p for p in probabilities], np.float64)
        points = np.zeros(count, POINT)
        points["time_ms"] = times
        points["probability"] = scores
        points["envelope"] = self._decision.push(times, scores).envelope
        kept = points[-_CAPACITY:]
        self._points[np.arange(self._count, self._count + len(kept)) % _CAPACITY] = kept
        self._count += len(kept)

    @property
    def count(self) -> int:
        """How many points there were since the device's clock started."""
        return self._count

    def since(self, position: int) -> bytes:
        """Return the points after the first ``position`` of this boot, as many as are kept.

        They have the form of :data:`POINT`.
        """
        first = max(position, self._count - _CAPACITY, 0)
        return self._points[np.arange(first, self._count) % _CAPACITY].tobytes()
