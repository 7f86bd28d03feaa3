"""Shots: rising edges of the trigger, accepted or rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.marks import SAME_EDGE_MS, Marks
from stinger.recording import Recording

MIN_SHOT_GAP_MS: Final = 1000
"""An edge sooner than this after the last accepted shot is rejected: a burst or a bounce (default of the firmware's
tools)."""
MIN_LEAD_MS: Final = 100
"""Time that the flywheels need to reach speed."""


@dataclass(frozen=True, slots=True, eq=False)
class Shots:
    """Every trigger edge of one recording, in time order.

    ``index`` ``(k,)`` is the first sample with the trigger pressed, ``time_ms`` ``(k,)`` its time since boot, and
    ``accepted`` ``(k,) bool`` whether the edge came late enough after the last accepted one. ``dismissed`` ``(k,)
    bool`` are the edges that a person marked as no shot: they are not accepted, and their neighbourhood is used as that
    of rejected ones is, for nothing.
    """

    index: npt.NDArray[np.intp]
    time_ms: npt.NDArray[np.int64]
    accepted: npt.NDArray[np.bool_]
    dismissed: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.index.shape[0])

    @property
    def counted(self) -> npt.NDArray[np.bool_]:
        """``(k,) bool``: the edges that are shots, accepted or rejected: all but the dismissed ones."""
        kept: npt.NDArray[np.bool_] = ~self.dismissed
        return kept

    @property
    def count(self) -> int:
        """Number of edges that are shots, accepted or rejected."""
        return int(np.count_nonzero(self.counted))

    @property
    def dismissed_ms(self) -> npt.NDArray[np.int64]:
        """Times of the dismissed edges since boot."""
        return self.time_ms[self.dismissed]

    def without_dismissed(self) -> Shots:
        """Return the accepted and the rejected ones."""
        return self.take(self.counted, self.index[self.counted])

    def take(self, chosen: npt.NDArray[np.bool_], index: npt.NDArray[np.intp]) -> Shots:
        """Return the ``chosen`` ``(k,) bool`` of these shots, whose samples are at ``index`` in another recording."""
        return Shots(index, self.time_ms[chosen], self.accepted[chosen], self.dismissed[chosen])


@dataclass(frozen=True, slots=True)
class ShotCounts:
    """How many trigger edges a recording has, and what they count as: each is in exactly one of the other four."""

    edges: int = 0
    accepted: int = 0
    rejected: int = 0
    left_out: int = 0
    """In a stretch that a person left out."""
    not_shots: int = 0
    """Marked as no shot, outside of such stretches."""

    def __add__(self, other: ShotCounts) -> ShotCounts:
        return ShotCounts(
            self.edges + other.edges,
            self.accepted + other.accepted,
            self.rejected + other.rejected,
            self.left_out + other.left_out,
            self.not_shots + other.not_shots,
        )


def count_shots(
    recording: Recording, *, min_shot_gap_ms: float = MIN_SHOT_GAP_MS, marks: Marks | None = None
) -> ShotCounts:
    """Return how many trigger edges ``recording`` has, and what they count as with ``marks``, as in training."""
    shots = find_shots(recording, min_shot_gap_ms=min_shot_gap_ms, marks=marks)
    after_ms = shots.time_ms - recording.time_ms[0]
    left_out = np.zeros(len(shots), dtype=np.bool_)
    for from_ms, to_ms in () if marks is None else marks.left_out:
        left_out |= (after_ms >= from_ms) & (after_ms <= to_ms)
    return ShotCounts(
        edges=len(shots),
        accepted=int(np.count_nonzero(shots.accepted & ~left_out)),
        rejected=int(np.count_nonzero(~shots.accepted & shots.counted & ~left_out)),
        left_out=int(np.count_nonzero(left_out)),
        not_shots=int(np.count_nonzero(shots.dismissed & ~left_out)),
    )


def find_shots(recording: Recording, *, min_shot_gap_ms: float = MIN_SHOT_GAP_MS, marks: Marks | None = None) -> Shots:
    """Return the shots of ``recording``. A trigger that is already pressed at the first sample is not an edge.

    Edges that ``marks`` marks as no shot are dismissed; whether others are accepted does not depend on them.
    """
    pressed = recording.trigger != 0
    index = np.flatnonzero(pressed[1:] & ~pressed[:-1]) + 1
    time_ms = recording.time_ms[index]
    dismissed = _dismissed(time_ms - recording.time_ms[0], () if marks is None else marks.not_shots)
    accepted = np.zeros(index.shape[0], dtype=np.bool_)
    shots = np.flatnonzero(~dismissed)
    edge = 0
    while edge < shots.shape[0]:
        accepted[shots[edge]] = True
        # The next edge that is far enough away; `max` so that a minimum gap of 0 still advances.
        edge = max(edge + 1, int(np.searchsorted(time_ms[shots], time_ms[shots[edge]] + min_shot_gap_ms)))
    return Shots(index=index, time_ms=time_ms, accepted=accepted, dismissed=dismissed)


def _dismissed(edge_ms: npt.NDArray[np.int64], not_shots: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Return which of the edges at ``edge_ms`` ``(k,)`` after the first sample are marked as no shot: ``(k,)``."""
    marked = np.array(not_shots, dtype=np.int64)
    first = np.searchsorted(marked, edge_ms - SAME_EDGE_MS, side="left")
    last = np.searchsorted(marked, edge_ms + SAME_EDGE_MS, side="right")
    dismissed: npt.NDArray[np.bool_] = last > first
    return dismissed
