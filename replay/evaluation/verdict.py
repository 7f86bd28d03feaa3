"""Decide whether a challenger is enough better than the champion to replace it."""

from __future__ import annotations

from dataclasses import dataclass

from replay.evaluation.contest import Contender, Contest
from replay.evaluation.evaluate import Evaluation


@dataclass(frozen=True, slots=True)
class Rules:
    """The conditions for a challenger, with each model at its threshold within the budget.

    The challenger must have more shots in time than the champion by at least ``margin``, a fraction of all accepted shots.
    In each session it may have fewer shots in time than the champion by at most ``session_margin``, a fraction of the
    session's accepted shots, and more false spin-ups by at most ``session_false_margin`` per minute. A difference of one
    shot, or of one false spin-up, in a session is always allowed.
    """

    margin: float
    session_margin: float
    session_false_margin: float


@dataclass(frozen=True, slots=True)
class Ruling:
    """The result for one challenger: the ``reasons`` why it may not become champion, a sentence each; none if it may."""

    challenger: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``winner`` is the best challenger that may become champion, or ``None``; ``rulings`` are for all, the best first."""

    winner: str | None
    rulings: tuple[Ruling, ...]


def judge(contest: Contest, rules: Rules) -> Verdict:
    """Apply ``rules`` to ``contest``. The best challenger has the most shots in time, then the lowest duty."""
    ranked = sorted(contest.challengers, key=_rank)
    rulings = tuple(Ruling(one.name, _reasons(one, contest, rules)) for one in ranked)
    failed = tuple(Ruling(name, (f"It could not be trained: {why}.",)) for name, why in contest.failed.items())
    winner = next((ruling.challenger for ruling in rulings if not ruling.reasons), None)
    return Verdict(winner, rulings + failed)


def _rank(contender: Contender) -> tuple[int, float]:
    return -contender.in_time, contender.point.duty if contender.point else 1.0


def _reasons(challenger: Contender, contest: Contest, rules: Rules) -> tuple[str, ...]:
    champion = contest.champion
    if challenger.point is None:
        return ("It has no threshold within the budget that has a shot in time.",)
    shots = challenger.point.accepted.total
    more = challenger.in_time - champion.in_time
    reasons = []
    # The tolerance is for margins such as 0.03 of 100, which is not 3 to the last bit.
    if more <= 0 or more < rules.margin * shots - 1e-9:
        reasons.append(
            f"It has {challenger.in_time} of {shots} accepted shots in time, {_difference(more)} than the champion: "
            f"it would need {_at_least(rules.margin, shots)}."
        )
    for name, own, other in zip(contest.held_out, challenger.sessions, champion.sessions, strict=False):
        reasons += _reasons_of_session(name, own, other, rules)
    return tuple(reasons)


def _reasons_of_session(name: str, challenger: Evaluation, champion: Evaluation, rules: Rules) -> list[str]:
    reasons = []
    fewer = champion.accepted.count - challenger.accepted.count
    if fewer > max(1.0, rules.session_margin * challenger.accepted.total + 1e-9):
        reasons.append(
            f"In {name} it has {challenger.accepted.count} of {challenger.accepted.total} shots in time, the champion "
            f"{champion.accepted.count}: that is worse by more than {100 * rules.session_margin:g} %."
        )
    extra = challenger.false.count - champion.false.count
    if extra > max(1.0, rules.session_false_margin * challenger.minutes + 1e-9):
        reasons.append(
            f"In {name} it has {challenger.false.value:.2f} false spin-ups a minute, the champion {champion.false.value:.2f}: "
            f"that is worse by more than {rules.session_false_margin:g}."
        )
    return reasons


def _difference(more: int) -> str:
    return f"{abs(more)} {'more' if more > 0 else 'fewer'}" if more else "no more"


def _at_least(margin: float, shots: int) -> str:
    needed = max(1, -int(-(margin * shots - 1e-9) // 1))
    return f"at least {needed} more ({100 * margin:g} %)"
