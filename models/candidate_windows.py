"""All samples of several sessions as possible ends of negative windows.

Each has the reason why it cannot be one, if there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

from models.sessions import Session
from models.windows import Indices, Span, motion_scores, pressed_within, unbroken_before

AvoidEdges = Literal["accepted", "all"]


class Exclusion(IntEnum):
    """The first reason why the window that ends at a sample cannot be a negative one; ``NONE`` if it can."""

    NONE = 0
    INCOMPLETE = 1
    HOLDS_TRIGGER = 2
    NEAR_EDGE = 3


@dataclass(frozen=True, slots=True, eq=False)
class CandidateWindows:
    """The ``n`` samples of all sessions, one session after another; every array except ``starts`` is ``(n,)``.

    ``time_ms`` is one time axis on which the sessions do not overlap. ``exclusion`` holds values of :class:`Exclusion`.
    ``score`` is the motion of the window that ends at a sample, NaN where no window can end. Session ``s`` has the
    samples ``[starts[s], starts[s + 1])``.
    """

    time_ms: npt.NDArray[np.int64]
    exclusion: npt.NDArray[np.uint8]
    score: npt.NDArray[np.float64]
    starts: Indices

    def __len__(self) -> int:
        return int(self.time_ms.shape[0])


def find_candidates(
    sessions: Sequence[Session],
    spans: Sequence[Span],
    *,
    keep_clear_ms: float,
    avoid_post_ms: float,
    avoid_edges: AvoidEdges,
    apart_ms: float,
) -> CandidateWindows:
    """Find the windows of ``sessions``, with lead and length of ``spans``, that can be negative ones.

    Excluded are windows that end between ``keep_clear_ms`` before and ``avoid_post_ms`` after an edge, windows across a
    gap (including a gap right after the window), and windows in which the trigger is pressed. On the common time axis
    sessions are at least ``apart_ms`` apart.
    """
    lengths = [len(session.recording) for session in sessions]
    starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.intp)
    windows = CandidateWindows(
        time_ms=np.empty(starts[-1], dtype=np.int64),
        exclusion=np.empty(starts[-1], dtype=np.uint8),
        score=np.empty(starts[-1], dtype=np.float64),
        starts=starts,
    )
    clock = 0
    for session, span, start, stop in zip(sessions, spans, starts[:-1], starts[1:], strict=True):
        recording = session.recording
        offset = clock - int(recording.time_ms[0])
        np.add(recording.time_ms, offset, out=windows.time_ms[start:stop])
        clock = int(recording.time_ms[-1]) + offset + int(np.ceil(apart_ms)) + 1
        near_edge = _around_edges(session, keep_clear_ms, avoid_post_ms, avoid_edges)
        exclusion = windows.exclusion[start:stop]
        exclusion[:] = Exclusion.NONE
        exclusion[near_edge] = Exclusion.NEAR_EDGE
        exclusion[pressed_within(recording, span.window_samples)] = Exclusion.HOLDS_TRIGGER
        exclusion[unbroken_before(recording) < span.window_samples] = Exclusion.INCOMPLETE
        windows.score[start:stop] = motion_scores(recording.axes, span.window_samples)
    return windows


def _around_edges(session: Session, before_ms: float, after_ms: float, which: AvoidEdges) -> npt.NDArray[np.bool_]:
    """Return whether each sample ``(n,)`` is within ``before_ms`` before or ``after_ms`` after an edge, inclusive."""
    times = session.recording.time_ms
    shots = session.shots
    edges = shots.time_ms[shots.accepted | shots.dismissed] if which == "accepted" else shots.time_ms
    change = np.zeros(times.shape[0] + 1, dtype=np.int32)
    np.add.at(change, np.searchsorted(times, edges - before_ms, side="left"), 1)
    np.add.at(change, np.searchsorted(times, edges + after_ms, side="right"), -1)
    covered: npt.NDArray[np.bool_] = np.cumsum(change[:-1]) > 0
    return covered
