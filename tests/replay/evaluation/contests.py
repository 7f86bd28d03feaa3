"""Builds contests with given counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.decision_parameters import DecisionParameters
from replay.evaluation.contest import Contender, Contest
from replay.evaluation.cost import Blocks
from replay.evaluation.cost_choice import HeldOutCounts
from replay.evaluation.evaluate import AveragePrecision, Evaluation, SpinUpCounts
from replay.evaluation.intervals import poisson, wilson

MINUTES = 10.0
BLOCKS = 10
"""Blocks of one minute in each session."""
DUTY = 0.3

Session = tuple[int, int, int]
"""Shots in time, accepted shots, false spin-ups."""


def evaluation(in_time: int, shots: int, false: int, *, minutes: float = MINUTES, on: float = 0.5) -> Evaluation:
    """So many of ``shots`` in time, and ``false`` spin-ups, in so many minutes."""
    return Evaluation(
        parameters=DecisionParameters(on=on),
        min_lead_ms=100,
        minutes=minutes,
        quiet_minutes=minutes / 2,
        accepted=wilson(in_time, shots),
        all_shots=wilson(in_time, shots),
        late=0,
        wheels_off=shots - in_time,
        without_output=0,
        further_shots=0,
        spin_ups=SpinUpCounts(carrying=in_time, repeats=0, false=false, early=0),
        false=poisson(false, minutes),
        false_quiet=poisson(false, minutes / 2),
        lead=None,
        duty=DUTY,
        by_chance=0.25,
    )


def contender(name: str, *sessions: Session, within: Sequence[Session] | None = ()) -> Contender:
    """One that had, in each of ``sessions``, so many of so many shots in time, and so many false spin-ups.

    ``within`` is the same within the budget: empty if the threshold of least cost is within it, ``None`` for no
    threshold.
    """
    whole = _whole(sessions, on=0.5)
    rows = [
        evaluation(whole.accepted.count * k // 10, whole.accepted.total, k, minutes=whole.minutes, on=0.95 - k / 11)
        for k in range(10)
    ]
    limited: Evaluation | None = whole
    if within is None:
        limited = None
    elif within:
        limited = _whole(within, on=0.9)
    off = [(0, shots, 0) for _, shots, _ in sessions]
    return Contender(
        name,
        (*rows, whole),
        whole,
        limited,
        tuple(evaluation(*one) for one in sessions),
        held_out(sessions),
        held_out(off if within is None else within or sessions),
        AveragePrecision(0.4, 0.1, 1000),
    )


def contest_of(champion: Contender, *challengers: Contender, failed: dict[str, str] | None = None) -> Contest:
    sessions = [(0, one.accepted.total, 0) for one in champion.sessions]
    return Contest(
        tuple(f"s{i}" for i in range(len(sessions))), champion, challengers, failed or {}, blocks_of(sessions)
    )


def blocks_of(sessions: Sequence[Session]) -> Blocks:
    session = np.repeat(np.arange(len(sessions)), BLOCKS)
    shots = np.concatenate([spread(shots) for _, shots, _ in sessions])
    edges = tuple(np.arange(BLOCKS + 1) for _ in sessions)
    return Blocks(edges, session, session, shots, np.full(session.size, MINUTES / BLOCKS))


def held_out(sessions: Sequence[Session]) -> HeldOutCounts:
    """Missed shots and false spin-ups spread evenly over the blocks."""
    counts = [
        (float(missed), float(extra), DUTY * MINUTES / BLOCKS)
        for in_time, shots, false in sessions
        for missed, extra in zip(spread(shots - in_time), spread(false), strict=True)
    ]
    return HeldOutCounts(tuple(counts))


def spread(total: int) -> np.ndarray:
    """Distribute ``total`` over the blocks of a session, as evenly as whole numbers allow."""
    return np.diff(np.arange(BLOCKS + 1) * total // BLOCKS).astype(float)


def _whole(sessions: Sequence[Session], *, on: float) -> Evaluation:
    in_time, shots, false = (sum(one[i] for one in sessions) for i in range(3))
    return evaluation(in_time, shots, false, minutes=MINUTES * len(sessions), on=on)
