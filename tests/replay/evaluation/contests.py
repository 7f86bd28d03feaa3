"""Contests by hand."""

from __future__ import annotations

from models.decision import DecisionParameters
from replay.evaluation.contest import Contender, Contest
from replay.evaluation.evaluate import AveragePrecision, Evaluation, SpinUpCounts
from replay.evaluation.intervals import poisson, wilson

MINUTES = 10.0


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
        duty=0.3,
        by_chance=0.25,
    )


def contender(name: str, *sessions: tuple[int, int, int]) -> Contender:
    """One that had, in each of ``sessions``, so many of so many shots in time, and so many false spin-ups."""
    in_time, shots, false = (sum(one[i] for one in sessions) for i in range(3))
    minutes = MINUTES * len(sessions)
    point = evaluation(in_time, shots, false, minutes=minutes)
    rows = [evaluation(in_time * k // 10, shots, false * k // 10, minutes=minutes, on=0.95 - k / 11) for k in range(10)]
    each = tuple(evaluation(*one) for one in sessions)
    return Contender(name, (*rows, point), point, each, AveragePrecision(0.4, 0.1, 1000))


def nobody(name: str) -> Contender:
    """One of which no threshold keeps to the budget."""
    return Contender(name, (evaluation(10, 100, 900),), None, (), None)


def contest_of(champion: Contender, *challengers: Contender, failed: dict[str, str] | None = None) -> Contest:
    sessions = max(len(one.sessions) for one in (champion, *challengers))
    return Contest(tuple(f"s{i}" for i in range(sessions)), champion, challengers, failed or {})
