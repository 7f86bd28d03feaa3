"""Choose the decision parameters with the least cost, and measure the choice where it was not made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from replay.evaluation.cost import Blocks, CostTable, CostWeights, Numbers

Flags = npt.NDArray[np.bool_]

_INDIFFERENCE_SHOTS: Final = 1.0
"""Thresholds whose costs differ by less than one missed shot count as equally good."""
_TINY: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Budget:
    """Upper limits for a model: false spin-ups per minute, and duty, the fraction of time with wheels on.

    ``tolerance`` is the number of standard errors (over blocks of time) by which the figures of a threshold may exceed
    the limits: with 2, only those that clearly exceed them are left out.
    """

    max_false_per_minute: float
    max_duty: float
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class HeldOutCounts:
    """What a model did in each block of time, with thresholds chosen on the other parts of the data.

    Each of ``blocks`` holds missed shots, false spin-ups and minutes with wheels on: averages over thresholds, so not
    whole numbers.
    """

    blocks: tuple[tuple[float, float, float], ...]

    @property
    def array(self) -> Numbers:
        """``(u, 3)``: the counts."""
        return np.array(self.blocks).reshape(-1, 3)


def least_cost(
    table: CostTable,
    blocks: Blocks,
    weights: CostWeights,
    budget: Budget | None = None,
    *,
    chosen: Flags | None = None,
) -> int | None:
    """Return the position of the parameters with the least cost within ``budget``.

    Only the ``chosen`` blocks count, by default all. If several are equal, it is the one with the highest threshold.
    ``None`` if none is within the budget, and if none of those has a shot in time: wheels that never turn would keep to
    any budget.
    """
    if chosen is None:
        chosen = np.ones(blocks.part.size, dtype=bool)
    totals = table.counts[:, chosen].sum(axis=1)
    allowed = _within(table, blocks, chosen, budget)
    if budget is not None:
        allowed &= totals[:, 0] < blocks.shots[chosen].sum()
    if not allowed.any():
        return None
    cost = np.where(allowed, weights.total(totals, float(blocks.shots[chosen].sum())), np.inf)
    best = np.flatnonzero(cost <= cost.min() + _TINY)
    return int(max(best, key=lambda row: table.parameters[row].on))


def held_out_counts(
    table: CostTable, blocks: Blocks, weights: CostWeights, budget: Budget | None = None
) -> HeldOutCounts:
    """Measure each part of the data with the parameters that cost least on all other parts.

    Only parameters within ``budget`` count. Parameters whose costs there hardly differ share the choice: the weight of
    each falls by a factor of e for each missed shot that it costs more than the best. So a small change of a model's
    output cannot move the choice, and the result, from one threshold to a distant one. If none is within the budget on
    the other parts, wheels stay off.
    """
    counts = np.empty(table.counts.shape[1:])
    off = np.stack([blocks.shots, np.zeros_like(blocks.shots), np.zeros_like(blocks.shots)], axis=1)
    for part in np.unique(blocks.part):
        own = blocks.part == part
        others = table.counts[:, ~own].sum(axis=1)
        allowed = _within(table, blocks, ~own, budget)
        if not allowed.any():
            counts[own] = off[own]
            continue
        cost = weights.total(others, float(blocks.shots[~own].sum()))
        excess = (cost - cost[allowed].min()) / max(weights.missed_shot * _INDIFFERENCE_SHOTS, _TINY)
        share = np.where(allowed, np.exp(-np.maximum(excess, 0)), 0.0)
        counts[own] = np.tensordot(share / share.sum(), table.counts[:, own], axes=1)
    return HeldOutCounts(tuple((float(m), float(f), float(on)) for m, f, on in counts))


def _within(table: CostTable, blocks: Blocks, chosen: Flags, budget: Budget | None) -> Flags:
    """Return ``(t,) bool``: which parameters are within the budget over the ``chosen`` blocks ``(u,) bool``."""
    if budget is None:
        return np.ones(len(table.parameters), dtype=bool)
    minutes = float(blocks.minutes[chosen].sum())
    counts = table.counts[:, chosen, 1:]
    totals = counts.sum(axis=1)
    if budget.tolerance:
        totals = totals - budget.tolerance * math.sqrt(counts.shape[1]) * counts.std(axis=1)
    limits = np.array([budget.max_false_per_minute, budget.max_duty]) * minutes
    within: Flags = (totals <= limits + _TINY).all(axis=1)
    return within
