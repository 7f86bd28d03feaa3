"""Match spin-ups with shots: which spin-up belongs to which shot, and which ones are false."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

EARLY_MS: Final = 500
"""A spin-up that ends at most this long before a shot belongs to it."""

NEAR_BEFORE_MS: Final = 2000
NEAR_AFTER_MS: Final = 1000
"""A shot is near from 2 s before it, while it is prepared, to 1 s after it, while its recoil decays."""

Times = npt.NDArray[np.int64]


class SpinUpKind(IntEnum):
    """How a spin-up is related to shots."""

    FALSE = 0
    """No shot came while the wheels were on, nor within :data:`EARLY_MS` after."""
    WITH_SHOT = 1
    """A shot came while the wheels were on; the spin-up belongs to the first such shot."""
    EARLY = 2
    """The last spin-up that ended at most :data:`EARLY_MS` before a shot that came with wheels off."""
    REPEAT = 3
    """A further spin-up that ended at most :data:`EARLY_MS` before a shot that another spin-up belongs to: a second
    try."""
    DISMISSED = 4
    """A spin-up that would be false, but has, or ended at most :data:`EARLY_MS` before, a trigger edge marked as no
    shot."""


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """``k`` spin-ups matched to ``m`` shots.

    ``kind`` ``(k,)`` are values of :class:`SpinUpKind`; ``shot`` ``(k,)`` is the shot of each, -1 for none. Among those
    that are early or have a shot, no shot occurs twice. ``holder`` ``(m,)`` is the spin-up during which a shot came, -1
    if the wheels were off; ``on_for_ms`` ``(m,)`` is the time that they had been on, NaN if off. ``in_time`` ``(m,)
    bool``.
    """

    kind: npt.NDArray[np.uint8]
    shot: npt.NDArray[np.intp]
    holder: npt.NDArray[np.intp]
    on_for_ms: npt.NDArray[np.float64]
    in_time: npt.NDArray[np.bool_]

    @property
    def false(self) -> npt.NDArray[np.bool_]:
        """``(k,) bool``: the false spin-ups, including early ones, excluding repeats, whose shot another spin-up has."""
        without: npt.NDArray[np.bool_] = (self.kind == SpinUpKind.FALSE) | (self.kind == SpinUpKind.EARLY)
        return without

    def count(self, kind: SpinUpKind) -> int:
        """Return the number of spin-ups of ``kind``."""
        return int(np.count_nonzero(self.kind == kind))


def match_events(spin_ups: Times, shot_ms: Times, *, min_lead_ms: float, dismissed_ms: Times | None = None) -> Events:
    """Match ``spin_ups`` ``(k, 2)``, on and off, to shots at ``shot_ms`` ``(m,)``, both in order of time.

    ``dismissed_ms`` ``(d,)`` are the times of trigger edges that a person marked as no shot: they are none of the
    shots, and spin-ups at them are not false.

    A spin-up lasts from its on, inclusive, to its off, exclusive. A shot is in time if the wheels were on without
    interruption from ``min_lead_ms`` before it. Further shots during a spin-up, a burst, have the same holder.

    >>> events = match_events(np.array([[1000, 1500], [4000, 4200]]), np.array([1200]), min_lead_ms=100)
    >>> [SpinUpKind(kind).name for kind in events.kind], events.in_time.tolist()
    (['WITH_SHOT', 'FALSE'], [True])
    """
    on, off = spin_ups[:, 0], spin_ups[:, 1]
    holder = np.searchsorted(on, shot_ms, side="right") - 1
    held = holder >= 0
    held[held] = shot_ms[held] < off[holder[held]]
    holder = np.where(held, holder, -1)
    on_for_ms = np.full(shot_ms.shape, np.nan)
    on_for_ms[held] = shot_ms[held] - on[holder[held]]

    kind = np.full(on.shape, SpinUpKind.FALSE, dtype=np.uint8)
    shot = np.full(on.shape, -1, dtype=np.intp)
    with_shot, first = np.unique(holder[held], return_index=True)
    kind[with_shot] = SpinUpKind.WITH_SHOT
    shot[with_shot] = np.flatnonzero(held)[first]

    following = np.searchsorted(shot_ms, off, side="left")
    padded_ms = np.append(shot_ms, np.iinfo(np.int64).max)
    for_next = np.flatnonzero((kind == SpinUpKind.FALSE) & (padded_ms[following] - off <= EARLY_MS))
    shot[for_next] = following[for_next]
    kind[for_next] = SpinUpKind.REPEAT
    wanted, last = np.unique(following[for_next][::-1], return_index=True)
    kind[for_next[::-1][last[~held[wanted]]]] = SpinUpKind.EARLY
    if dismissed_ms is not None and dismissed_ms.size:
        first = np.searchsorted(dismissed_ms, on, side="left")
        beyond = np.searchsorted(dismissed_ms, off + EARLY_MS, side="right")
        kind[(kind == SpinUpKind.FALSE) & (beyond > first)] = SpinUpKind.DISMISSED
    return Events(kind=kind, shot=shot, holder=holder, on_for_ms=on_for_ms, in_time=on_for_ms >= min_lead_ms)


def near_a_shot(time_ms: Times, shot_ms: Times) -> npt.NDArray[np.bool_]:
    """Return whether each of ``time_ms`` ``(n,)`` is from 2 s before to 1 s after one of ``shot_ms`` ``(m,)``, inclusive."""
    before = np.searchsorted(shot_ms, time_ms - NEAR_AFTER_MS, side="left")
    after = np.searchsorted(shot_ms, time_ms + NEAR_BEFORE_MS, side="right")
    near: npt.NDArray[np.bool_] = after > before
    return near
