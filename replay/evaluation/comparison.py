"""Compare two models on the same recordings: a paired bootstrap for the difference of their costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from replay.evaluation.block_bootstrap import BlockBootstrap, Estimate
from replay.evaluation.cost import Blocks, CostWeights, Numbers


@dataclass(frozen=True, slots=True)
class Comparison:
    """A challenger compared with the champion, both on the same held-out data.

    Differences are the challenger's figure minus the champion's: ``in_time`` in shots of 100, ``false_per_minute``,
    ``duty`` as a fraction of the time, ``cost`` per minute. ``probability`` is the fraction of draws in which the
    challenger costs less. ``units`` is what was drawn, sessions or blocks of time, and ``count`` their number.
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


def compare(
    champion: Numbers, challenger: Numbers, blocks: Blocks, weights: CostWeights, bootstrap: BlockBootstrap
) -> Comparison:
    """Compare the counts ``(u, 3)`` of two models in the blocks, in the order of ``CostTable.counts``."""
    difference = challenger - champion
    missed, false, on = difference.T
    cost = difference @ weights.each
    drawn = bootstrap.totals(cost)
    # Without any difference in a draw, neither is better.
    probability = math.nan if drawn is None else float(np.mean(drawn < 0) + np.mean(drawn == 0) / 2)
    return Comparison(
        in_time=bootstrap.ratio(-100 * missed, blocks.shots),
        false_per_minute=bootstrap.ratio(false, blocks.minutes),
        duty=bootstrap.ratio(on, blocks.minutes),
        cost=bootstrap.ratio(cost, blocks.minutes),
        probability=probability,
        units=bootstrap.units,
        count=bootstrap.count,
    )
