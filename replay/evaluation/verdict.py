"""Decide whether a challenger is enough better than the champion to replace it."""

from __future__ import annotations

from dataclasses import dataclass

from replay.evaluation.block_bootstrap import BlockBootstrap
from replay.evaluation.comparison import Comparison, compare
from replay.evaluation.comparison_wording import felt_text, probability_text
from replay.evaluation.contest import Contender, Contest
from replay.evaluation.cost import CostWeights
from replay.evaluation.cost_choice import Budget


@dataclass(frozen=True, slots=True)
class Rules:
    """The conditions for a challenger.

    At thresholds within ``budget``, its cost by ``weights`` must be less than the champion's, for each value in the
    interval of the difference. ``confidence`` is that of the intervals of all challengers together; ``seed`` is for the
    draws of the bootstrap.
    """

    weights: CostWeights
    budget: Budget
    confidence: float
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Ruling:
    """The result for one challenger.

    ``reasons`` are why it may not become champion, a sentence each; none if it may. ``comparison`` is that with the
    champion, each at the thresholds of least cost; ``within`` is the same with thresholds within the budget, which
    decides. Both are ``None`` for a challenger that could not be trained.
    """

    challenger: str
    reasons: tuple[str, ...]
    comparison: Comparison | None = None
    within: Comparison | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a contest.

    ``winner`` is the best challenger that may become champion, or ``None``; ``rulings`` are for all, the best first.
    """

    winner: str | None
    rulings: tuple[Ruling, ...]

    def ruling(self, challenger: str) -> Ruling:
        """Return the ruling for ``challenger``."""
        return next(one for one in self.rulings if one.challenger == challenger)


def judge(contest: Contest, rules: Rules) -> Verdict:
    """Apply ``rules`` to ``contest``. The best challenger that may become champion is the one with the least cost."""
    bootstrap = BlockBootstrap(
        contest.blocks,
        confidence=rules.confidence,
        comparisons=len(contest.challengers),
        seed=rules.seed,
    )
    rulings = [_rule(one, contest, bootstrap, rules) for one in contest.challengers]
    rulings.sort(key=_rank)
    failed = tuple(Ruling(name, (f"It could not be trained: {why}.",)) for name, why in contest.failed.items())
    winner = next((ruling.challenger for ruling in rulings if not ruling.reasons), None)
    return Verdict(winner, tuple(rulings) + failed)


def _rank(ruling: Ruling) -> tuple[bool, float]:
    compared = ruling.comparison if ruling.reasons else ruling.within
    assert compared is not None
    return bool(ruling.reasons), compared.cost.value


def _rule(challenger: Contender, contest: Contest, bootstrap: BlockBootstrap, rules: Rules) -> Ruling:
    champion = contest.champion
    comparison, within = (
        compare(old.array, new.array, contest.blocks, rules.weights, bootstrap)
        for old, new in (
            (champion.held_out, challenger.held_out),
            (champion.held_out_within, challenger.held_out_within),
        )
    )
    if challenger.within is not None and within.is_better:
        reasons = []
    elif comparison.is_better:
        reasons = [_reason_of_budget(challenger, within, rules.budget)]
    else:
        reasons = [f"It is {_standing(comparison)}: {felt_text(comparison)}; {probability_text(comparison)}."]
        if challenger.within is None:
            reasons.append("No threshold within the limits has a shot in time.")
    return Ruling(challenger.name, tuple(reasons), comparison, within)


def _standing(comparison: Comparison) -> str:
    if comparison.is_worse:
        return "worse than the champion"
    if comparison.is_better:
        return "better than the champion"
    return "equal to the champion, as far as the data show"


def _reason_of_budget(challenger: Contender, within: Comparison, budget: Budget) -> str:
    """Return why a challenger that costs less than the champion, but not within ``budget``, may not become champion."""
    best = challenger.best
    exceeded = []
    if best.false.value > budget.max_false_per_minute:
        exceeded.append(
            f"{best.false.value:.2f} false spin-ups a minute (the limit is {budget.max_false_per_minute:g})"
        )
    if best.duty > budget.max_duty:
        exceeded.append(f"wheels on {100 * best.duty:.0f} % of the time (the limit is {100 * budget.max_duty:g} %)")
    found = (
        f"It is better than the champion, but at its threshold, {best.parameters.on:.2f}, it has {' and '.join(exceeded)}; "
        if exceeded
        else ""
    )
    if challenger.within is None:
        return f"{found}no threshold within the limits has a shot in time."
    standing = f"within the limits it is {_standing(within)}: {felt_text(within)}."
    return found + standing if found else standing.capitalize()
