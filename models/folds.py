"""Folds: every sample is tested once, by a model that was not trained on it or on the time around it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from models.sessions import Session
from models.stream_rows import has_positives
from models.windows import LEAD_MS, WINDOW_MS
from stinger.errors import InputError
from stinger.recording import Recording

GUARD_MS: Final = 1000
"""Training leaves out this time before and after the tested samples."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The samples ``[start, stop)`` of the session at index ``session``."""

    session: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """``train`` are parts of sessions, each a session with the shots in it; ``test`` are the stretches to test."""

    train: tuple[Session, ...]
    test: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """A test on held-out sessions: those of ``sessions`` at ``positions``; ``folds`` test each of them exactly once.

    ``changed`` are changed copies of the sessions, all of them several times over. Where a fold tests a part of a
    session, the same part of its copies is tested as well; nothing is trained on copies.
    """

    sessions: tuple[Session, ...]
    positions: tuple[int, ...]
    folds: tuple[Fold, ...]
    changed: tuple[Session, ...] = ()

    @property
    def held_out_sessions(self) -> tuple[Session, ...]:
        """The sessions at ``positions``, on which models are compared."""
        return tuple(self.sessions[i] for i in self.positions)


def folds_by_time(
    sessions: Sequence[Session], count: int, *, guard_ms: float = GUARD_MS, clear_ms: float = LEAD_MS + WINDOW_MS
) -> tuple[Fold, ...]:
    """Return ``count`` folds; each tests one of ``count`` contiguous blocks of equal length of every session.

    Training uses only samples more than ``guard_ms`` away from the tested block, so that no training window shares a
    sample with a tested window, if windows are no longer than that. It also leaves out the ``clear_ms`` (lead and
    window) before a trigger edge in guard or block: a window there would look like one that no shot follows. A session
    whose blocks would be shorter than ``guard_ms`` is tested as a whole in one of the folds. Raises :class:`InputError`
    if this applies to all sessions.
    """
    cut = [_blocks(session, count, guard_ms) for session in sessions]
    if not any(cut):
        longest_ms = max((session.recording.recorded_ms for session in sessions), default=0.0)
        most = int(longest_ms // guard_ms)
        raise InputError(
            f"{count} folds by time need blocks of at least {guard_ms / 1000:g} s, and the longest recording has "
            f"{longest_ms / 1000:.1f} s: {f'use at most {most} folds, or ' if most > 1 else ''}record more"
        )
    folds = []
    for fold in range(count):
        train: list[Session] = []
        test: list[Stretch] = []
        for i, (session, blocks) in enumerate(zip(sessions, cut, strict=True)):
            if blocks:
                test.append(Stretch(i, *blocks[fold]))
                train += _outside(session, *blocks[fold], guard_ms, clear_ms)
            elif i % count == fold:
                test.append(Stretch(i, 0, len(session.recording)))
            else:
                train.append(session)
        folds.append(Fold(tuple(train), tuple(test)))
    return tuple(folds)


def folds_by_session(sessions: Sequence[Session], count: int) -> tuple[Fold, ...]:
    """Return ``count`` folds; each tests whole sessions, every ``count``-th.

    If one of them would hold out all sessions that a shot can be learnt from, although there are several, sessions are
    divided as :func:`folds_holding_out` does. Raises :class:`InputError` for too few sessions.
    """
    if len(sessions) < count:
        raise InputError(
            f"{count} folds by session need {count} sessions, but there "
            f"{'is 1' if len(sessions) == 1 else f'are {len(sessions)}'}: use --folds-by time or fewer folds"
        )
    useful = [i for i, session in enumerate(sessions) if has_positives(session)]
    if len(useful) > 1 and len({i % count for i in useful}) == 1:
        return folds_holding_out(sessions, range(len(sessions)), count)
    return tuple(_testing(sessions, range(fold, len(sessions), count)) for fold in range(count))


def folds_holding_out(sessions: Sequence[Session], held_out: Collection[int], count: int) -> tuple[Fold, ...]:
    """Return at most ``count`` folds that test each of the chosen sessions once.

    The chosen sessions are those at the positions ``held_out``; no other is tested. Shots are distributed evenly over
    the folds. If two sessions have shots and there are two folds or more, no fold holds out all shots.
    """
    weight = {i: (sessions[i].accepted_shots, len(sessions[i].recording)) for i in held_out}
    tested: list[list[int]] = [[] for _ in range(min(count, len(held_out)))]
    for i in sorted(weight, key=lambda i: (weight[i], -i), reverse=True):
        lightest = min(tested, key=lambda fold: tuple(map(sum, zip((0, 0), *(weight[j] for j in fold), strict=True))))
        lightest.append(i)
    return tuple(_testing(sessions, sorted(fold)) for fold in tested)


def slice_session(session: Session, start: int, stop: int) -> Session:
    """Return the samples ``[start, stop)`` of ``session`` as a session.

    Its shots stay accepted or rejected as before.
    """
    recording, shots = session.recording, session.shots
    within = (shots.index >= start) & (shots.index < stop)
    return Session(
        name=f"{session.name}[{start}:{stop}]",
        recording=Recording(recording.samples[start:stop], recording.time_ms[start:stop], recording.rate),
        shots=shots.take(within, shots.index[within] - start),
        first_shot_num=session.first_shot_num + int(np.count_nonzero(shots.accepted[shots.index < start])),
    )


def _testing(sessions: Sequence[Session], tested: Collection[int]) -> Fold:
    """Return the fold that tests the sessions ``tested`` as a whole and trains on all others."""
    return Fold(
        train=tuple(session for i, session in enumerate(sessions) if i not in tested),
        test=tuple(Stretch(i, 0, len(sessions[i].recording)) for i in tested),
    )


def _blocks(session: Session, count: int, guard_ms: float) -> list[tuple[int, int]]:
    """Return ``count`` blocks of ``session``; none if they would be too short."""
    recording = session.recording
    edges = np.linspace(0, len(recording), count + 1).round().astype(int).tolist()
    shortest = min(stop - start for start, stop in pairwise(edges))
    if recording.step_ms is None or shortest < 1 or shortest * recording.step_ms < guard_ms:
        return []
    return list(pairwise(edges))


def _outside(session: Session, start: int, stop: int, guard_ms: float, clear_ms: float) -> list[Session]:
    """Return the parts of ``session`` more than ``guard_ms`` before sample ``start`` and after the last before ``stop``.

    The first part ends earlier if a trigger edge follows within ``clear_ms`` after it.
    """
    time_ms = session.recording.time_ms
    before = int(np.searchsorted(time_ms, time_ms[start] - guard_ms, side="left"))
    # Backwards from the last edge, because a cut before one edge may exclude another.
    for edge in session.shots.index[::-1].tolist():
        if before <= edge:
            before = min(before, int(np.searchsorted(time_ms, time_ms[edge] - clear_ms, side="left")))
    after = int(np.searchsorted(time_ms, time_ms[stop - 1] + guard_ms, side="right"))
    edges = ((0, before), (after, len(session.recording)))
    return [slice_session(session, first, last) for first, last in edges if first < last]
