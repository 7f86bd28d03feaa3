"""Joins the scores of blocks into fewer messages: a blaster on a port sends forty blocks a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from service.base.states import ScoreBlock
from stinger.device_name import DeviceName
from stinger.sample import SAMPLE_RATE_HZ

FEWEST_SAMPLES: Final = SAMPLE_RATE_HZ // 10
"""Scores of fewer samples wait for the next ones: 100 ms."""
_PERIOD_MS: Final = 1000 // SAMPLE_RATE_HZ
_JITTER_MS: Final = _PERIOD_MS // 2
"""A larger distance from the time at which the next sample is due is a gap."""

_Scores = npt.NDArray[np.float32]


@dataclass(slots=True)
class _Waiting:
    """Scores of consecutive samples of one device that wait."""

    first_ms: int
    next_ms: int
    """Time of the sample that continues them."""
    parts: list[_Scores]


class ScoreBatches:
    """Collects the scores of each device until there are :data:`FEWEST_SAMPLES`.

    The first ones of a device, and the first after a gap, do not wait.
    """

    def __init__(self) -> None:
        self._waiting: dict[DeviceName, _Waiting] = {}

    def add(self, device: DeviceName, first_ms: int, probability: _Scores) -> list[ScoreBlock]:
        """Add the scores ``(n,)`` of a block whose first sample was at ``first_ms``; return what is not to wait now."""
        next_ms = first_ms + _PERIOD_MS * probability.size
        waiting = self._waiting.get(device)
        if waiting is None or abs(waiting.next_ms - first_ms) > _JITTER_MS:
            before = self.take(device)
            self._waiting[device] = _Waiting(next_ms, next_ms, [])
            return [*before, ScoreBlock(device, first_ms, _PERIOD_MS, probability)]
        if not waiting.parts:
            waiting.first_ms = first_ms
        waiting.parts.append(probability)
        waiting.next_ms = next_ms
        enough = sum(part.size for part in waiting.parts) >= FEWEST_SAMPLES
        return self.take(device) if enough else []

    def take(self, device: DeviceName) -> list[ScoreBlock]:
        """Return the scores of ``device`` that wait, as a block; none if none do."""
        waiting = self._waiting.get(device)
        if waiting is None or not waiting.parts:
            return []
        block = ScoreBlock(device, waiting.first_ms, _PERIOD_MS, np.concatenate(waiting.parts))
        self._waiting[device] = _Waiting(waiting.next_ms, waiting.next_ms, [])
        return [block]

    def forget(self, device: DeviceName) -> None:
        """Drop what is known of ``device``."""
        self._waiting.pop(device, None)
