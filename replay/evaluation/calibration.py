"""Choose the decision parameters of a model.

They are the threshold, and for a host also the attack and release of the envelope.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.decision_parameters import DecisionParameters
from replay.evaluation.block_bootstrap import BlockBootstrap
from replay.evaluation.comparison import Comparison, compare
from replay.evaluation.cost import Blocks, CostTable, CostWeights, Numbers, cost_table, divide_into_blocks
from replay.evaluation.cost_choice import Budget, held_out_counts, least_cost
from replay.evaluation.evaluate import follow_traces
from replay.evaluation.intervals import CONFIDENCE
from replay.evaluation.sweep import FINE_STEPS, TABLE_STEPS, parameters_at, thresholds
from replay.trace import Trace

_ATTACKS: Final = (0.06, 0.12, 0.25, 0.5, 1.0)
_RELEASES: Final = (0.01, 0.02, 0.05, 0.1, 0.25)
_REFINEMENTS: Final = (math.sqrt(2), 2**0.25)
"""Factors by which attack and release around the best are varied, one round each."""

Pair = tuple[float, float]
"""Attack and release."""


@dataclass(frozen=True, slots=True)
class HeldOutFigures:
    """What parameters did on parts of the data that they were not chosen on."""

    in_time: float
    false_per_minute: float
    duty: float
    cost_per_minute: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """``parameters`` are chosen on all data, within the budget.

    ``held_out`` is what parameters that were chosen in the same way did on the parts of the data that they were not
    chosen on. ``envelope`` compares the search over threshold, attack and release with that over the threshold alone,
    on such parts; ``None`` if only the threshold was searched.
    """

    parameters: DecisionParameters
    held_out: HeldOutFigures
    envelope: Comparison | None = None

    @property
    def envelope_changed(self) -> bool:
        """Whether attack and release were changed too."""
        return self.envelope is not None and self.envelope.is_better


def calibrate_threshold(
    traces: Sequence[Trace],
    start: DecisionParameters,
    weights: CostWeights,
    budget: Budget | None,
    *,
    min_lead_ms: float,
) -> Calibration | None:
    """Choose the threshold with the least cost within ``budget``; ``None`` if none is within it."""
    search = ParameterSearch(traces, start, weights, budget, min_lead_ms)
    return search.calibration(search.table([(start.attack, start.release)], thresholds(FINE_STEPS, start.on)))


def calibrate_envelope(
    traces: Sequence[Trace],
    start: DecisionParameters,
    weights: CostWeights,
    budget: Budget,
    *,
    min_lead_ms: float,
    progress: Callable[[int], object] = lambda _: None,
) -> Calibration | None:
    """Choose threshold, attack and release together, with the least cost within ``budget``.

    ``None`` if none is within it.

    A coarse grid of attack and release is searched first, then finer ones around the best for each part of the data.
    Attack and release are only changed if that costs clearly less (95 % interval) on the parts of the data that nothing
    was chosen on; otherwise the threshold alone is chosen, so that few shots cannot lead to parameters that fit only
    them. ``progress(1)`` is called :func:`envelope_steps` times.
    """
    search = ParameterSearch(traces, start, weights, budget, min_lead_ms)
    own = (start.attack, start.release)
    alone = search.table([own], thresholds(FINE_STEPS, start.on))
    progress(1)
    grid = [(attack, release) for attack in _ATTACKS for release in _RELEASES]
    tables = []
    for pair in grid:
        tables.append(search.table([pair], thresholds(TABLE_STEPS)))
        progress(1)
    for factor in _REFINEMENTS:
        tables.append(search.table(_around(search.best_pairs(joined(tables)), factor), thresholds(2 * TABLE_STEPS)))
        progress(1)
    tables.append(search.table(search.best_pairs(joined(tables)), thresholds(FINE_STEPS)))
    progress(1)
    everything = joined([alone, *tables])
    threshold_only, together = search.calibration(alone), search.calibration(everything)
    if together is None:
        return None
    bootstrap = BlockBootstrap(search.blocks, confidence=CONFIDENCE)
    envelope = compare(search.held_out(alone), search.held_out(everything), search.blocks, weights, bootstrap)
    if threshold_only is None or envelope.is_better:
        return replace(together, envelope=envelope)
    return replace(threshold_only, envelope=envelope)


def envelope_steps() -> int:
    """Return how often :func:`calibrate_envelope` calls ``progress``."""
    return len(_ATTACKS) * len(_RELEASES) + len(_REFINEMENTS) + 2


def joined(tables: Sequence[CostTable]) -> CostTable:
    """Return one table with the rows of all ``tables``."""
    return CostTable(
        tuple(one for table in tables for one in table.parameters), np.concatenate([table.counts for table in tables])
    )


class ParameterSearch:
    """Measures decision parameters on ``traces`` and chooses those with the least cost within ``budget``."""

    def __init__(
        self,
        traces: Sequence[Trace],
        start: DecisionParameters,
        weights: CostWeights,
        budget: Budget | None,
        min_lead_ms: float,
    ) -> None:
        self.blocks: Blocks = divide_into_blocks(traces)
        self.traces = tuple(traces)
        self._start = start
        self._weights = weights
        self._budget = budget
        self._min_lead_ms = min_lead_ms

    def table(self, pairs: Iterable[Pair], at: Sequence[float], *, traces: Sequence[Trace] | None = None) -> CostTable:
        """Count with each pair of attack and release at each threshold of ``at``.

        ``traces`` are other outputs for the same sessions; by default, those of the search.
        """
        tables = []
        for attack, release in pairs:
            parameters = replace(self._start, attack=attack, release=release)
            rows = [parameters_at(parameters, on) for on in at]
            followed = follow_traces(self.traces if traces is None else traces, parameters)
            tables.append(cost_table(followed, self.blocks, rows, min_lead_ms=self._min_lead_ms))
        return joined(tables)

    def best_pairs(self, table: CostTable) -> list[Pair]:
        """Return the pairs that are best without one of the parts of the data, and the one that is best on all."""
        chosen = [np.ones(self.blocks.part.size, dtype=bool)]
        chosen += [self.blocks.part != part for part in np.unique(self.blocks.part)]
        pairs: dict[Pair, None] = {}
        for blocks in chosen:
            row = least_cost(table, self.blocks, self._weights, self._budget, chosen=blocks)
            if row is not None:
                parameters = table.parameters[row]
                pairs[parameters.attack, parameters.release] = None
        return list(pairs) or [(self._start.attack, self._start.release)]

    def held_out(self, table: CostTable) -> Numbers:
        """Return the counts of parameters that were chosen on other parts."""
        return held_out_counts(table, self.blocks, self._weights, self._budget).array

    def held_out_cost(self, table: CostTable) -> float:
        """Return the cost of parameters that were chosen on other parts, over all parts."""
        return float(self._weights.total(self.held_out(table).sum(axis=0), float(self.blocks.shots.sum())))

    def calibration(self, table: CostTable) -> Calibration | None:
        """Return the best of ``table`` within the budget."""
        row = self.best_row(table)
        return None if row is None else self.calibration_at(table, row)

    def best_row(self, table: CostTable) -> int | None:
        """Return the position of the parameters in ``table`` with the least cost within the budget, if any."""
        return least_cost(table, self.blocks, self._weights, self._budget)

    def least_cost(self, table: CostTable) -> float | None:
        """Return the cost over all data of the parameters of :meth:`best_row`, if any."""
        row = self.best_row(table)
        if row is None:
            return None
        return float(self._weights.total(table.counts[row].sum(axis=0), float(self.blocks.shots.sum())))

    def calibration_at(self, table: CostTable, row: int) -> Calibration:
        """Return the choice of the parameters at ``row``, with the figures of choosing from ``table`` on other parts."""
        counts = self.held_out(table)
        shots, minutes = float(self.blocks.shots.sum()), float(self.blocks.minutes.sum())
        totals = counts.sum(axis=0)
        missed, false, on = totals.tolist()
        figures = HeldOutFigures(
            in_time=1 - missed / shots if shots else math.nan,
            false_per_minute=false / minutes,
            duty=on / minutes,
            cost_per_minute=float(self._weights.total(totals, shots)) / minutes,
        )
        return Calibration(table.parameters[row], figures)


def _around(pairs: Sequence[Pair], factor: float) -> list[Pair]:
    """Return the pairs whose attack or release differ by ``factor`` from those of ``pairs``."""
    steps = (1 / factor, 1.0, factor)
    near = {
        (_rounded(attack * a), _rounded(release * r)): None for attack, release in pairs for a in steps for r in steps
    }
    return list(near)


def _rounded(fraction: float) -> float:
    return min(1.0, round(fraction, 4))
