"""Compare two models on the same recordings: a paired bootstrap for the difference of their costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr, stdtrit

from replay.evaluation.cost import Blocks, CostWeights, Numbers

ENOUGH_SESSIONS: Final = 10
"""With fewer sessions, blocks of time are drawn instead."""
FEWEST_UNITS: Final = 8
"""With fewer units to draw from, nothing can be said about a difference."""
_DRAWS: Final = 4000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference with its interval; infinite limits if there are too few units to draw from."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A challenger compared with the champion, both on the same held-out data.

    Differences are the challenger's figure minus the champion's: ``in_time`` in shots of 100, ``false_per_minute``,
    ``duty`` as a fraction of the time, ``cost`` per minute. ``probability`` is the fraction of draws in which the challenger
    costs less. ``units`` is what was drawn, sessions or blocks of time, and ``count`` their number.
    """

    in_time: Estimate
    false_per_minute: Estimate
    duty: Estimate
    cost: Estimate
    probability: float
    units: str
    count: int

    @property
    def is_better(self) -> bool:
        """Whether the interval of the cost excludes that the challenger is no better."""
        return self.cost.high < 0

    @property
    def is_worse(self) -> bool:
        """Whether the interval of the cost excludes that the challenger is no worse."""
        return self.cost.low > 0


class PairedBootstrap:
    """Draws of the blocks of a contest, the same for every pair of models.

    Whole sessions are drawn if there are :data:`ENOUGH_SESSIONS`, else blocks of time. ``confidence`` is that of the
    intervals, all ``comparisons`` together (Bonferroni). Percentiles of a bootstrap with few units are too narrow: they are
    widened as Hesterberg describes (What Teachers Should Know About the Bootstrap, The American Statistician 69, 2015).
    """

    def __init__(
        self, blocks: Blocks, weights: CostWeights, *, confidence: float, comparisons: int = 1, seed: int = 1
    ) -> None:
        self._blocks = blocks
        self._weights = weights
        sessions = np.unique(blocks.session)
        whole = sessions.size >= ENOUGH_SESSIONS
        self.units = "sessions" if whole else "blocks of time"
        unit = np.searchsorted(sessions, blocks.session) if whole else np.arange(blocks.session.size)
        self._unit = unit
        self.count = int(unit.max()) + 1 if unit.size else 0
        tail = (1 - confidence) / 2 / max(comparisons, 1)
        self._tail = _widened(tail, self.count)
        rng = np.random.default_rng(seed)
        drawn = self.count >= FEWEST_UNITS
        even = np.full(self.count, 1 / self.count) if drawn else np.empty(0)
        self._draws = rng.multinomial(self.count, even, size=_DRAWS).astype(np.float64) if drawn else None
        self._shots = self._drawn_totals(blocks.shots)
        self._minutes = self._drawn_totals(blocks.minutes)

    def compare(self, champion: Numbers, challenger: Numbers) -> Comparison:
        """Compare the counts ``(u, 3)`` of two models in the blocks, in the order of ``CostTable.counts``."""
        difference = challenger - champion
        shots, minutes = float(self._blocks.shots.sum()), float(self._blocks.minutes.sum())
        missed, false, on = difference.sum(axis=0)
        cost_of_blocks = difference @ self._weights.each
        drawn_cost = self._drawn_totals(cost_of_blocks)
        # Without any difference in a draw, neither is better.
        probability = math.nan if drawn_cost is None else float(np.mean(drawn_cost < 0) + np.mean(drawn_cost == 0) / 2)
        return Comparison(
            in_time=self._estimate(-100 * missed, -100 * difference[:, 0], shots, self._shots),
            false_per_minute=self._estimate(false, difference[:, 1], minutes, self._minutes),
            duty=self._estimate(on, difference[:, 2], minutes, self._minutes),
            cost=self._estimate(float(cost_of_blocks.sum()), cost_of_blocks, minutes, self._minutes),
            probability=probability,
            units=self.units,
            count=self.count,
        )

    def _estimate(self, total: float, of_blocks: Numbers, scale: float, drawn_scale: Numbers | None) -> Estimate:
        value = float(total) / scale if scale else math.nan
        drawn = self._drawn_totals(of_blocks)
        if drawn is None or drawn_scale is None:
            return Estimate(value, -math.inf, math.inf)
        usable = drawn_scale > 0
        low, high = np.quantile(drawn[usable] / drawn_scale[usable], (self._tail, 1 - self._tail))
        return Estimate(value, float(low), float(high))

    def _drawn_totals(self, of_blocks: Numbers) -> Numbers | None:
        """Return the total over the blocks in each draw, ``None`` if there are too few units to draw from."""
        if self._draws is None:
            return None
        totals: Numbers = self._draws @ np.bincount(self._unit, weights=of_blocks, minlength=self.count)
        return totals


def _widened(tail: float, count: int) -> float:
    """Return the tail for percentiles of a bootstrap of ``count`` units whose interval has ``tail`` on each side."""
    if count < FEWEST_UNITS:
        return tail
    return float(ndtr(math.sqrt(count / (count - 1)) * stdtrit(count - 1, tail)))
