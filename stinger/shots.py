"""Shots: rising edges of the trigger, accepted or rejected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.recording import Recording

MIN_SHOT_GAP_MS: Final = 1000
"""An edge sooner than this after the last accepted shot is rejected: a burst or a bounce (default of the firmware's tools)."""
MIN_LEAD_MS: Final = 100
"""Time that the flywheels need to reach speed."""


@dataclass(frozen=True, slots=True, eq=False)
class Shots:
    """Every trigger edge of one recording, in time order.

    ``index`` ``(k,)`` is the first sample with the trigger pressed, ``time_ms`` ``(k,)`` its time since boot, and
    ``accepted`` ``(k,) bool`` whether the edge came late enough after the last accepted one.
    """

    index: npt.NDArray[np.intp]
    time_ms: npt.NDArray[np.int64]
    accepted: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.index.shape[0])


def find_shots(recording: Recording, *, min_shot_gap_ms: float = MIN_SHOT_GAP_MS) -> Shots:
    """Return the shots of ``recording``. A trigger that is already pressed at the first sample is not an edge."""
    pressed = recording.trigger != 0
    index = np.flatnonzero(pressed[1:] & ~pressed[:-1]) + 1
    time_ms = recording.time_ms[index]
    accepted = np.zeros(index.shape[0], dtype=np.bool_)
    edge = 0
    while edge < index.shape[0]:
        accepted[edge] = True
        # The next edge that is far enough away; `max` so that a minimum gap of 0 still advances.
        edge = max(edge + 1, int(np.searchsorted(time_ms, time_ms[edge] + min_shot_gap_ms)))
    return Shots(index=index, time_ms=time_ms, accepted=accepted)
