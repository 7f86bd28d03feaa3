"""Choose how the output of a model for the blaster is scaled, together with the threshold for its menu."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from models.decision_parameters import DecisionParameters
from models.output_scaling import OutputScaling
from replay.evaluation.calibration import Calibration, Pair, ParameterSearch, joined
from replay.evaluation.cost import CostTable, CostWeights
from replay.evaluation.cost_choice import Budget
from replay.evaluation.sweep import FINE_STEPS, thresholds
from replay.trace import Trace

SCALINGS: Final = tuple(
    OutputScaling(slope, centre)
    for slope in (0.35, 0.5, 0.7, 1.0, 1.5)
    for centre in (-5.0, -4.0, -3.0, -2.0, -1.0, 0.0)
    if (slope, centre) != (1.0, 0.0)
)
"""The scalings that are tried, each with every second threshold of the menu."""
DEARER: Final = 1.05
"""Limits may cost a twentieth more than no limits."""


@dataclass(frozen=True, slots=True, eq=False)
class ScaledCalibration:
    """``calibration`` is the choice for outputs that are scaled with ``scaling``; ``traces`` are these."""

    scaling: OutputScaling
    calibration: Calibration
    traces: tuple[Trace, ...]


def calibrate_output(
    traces: Sequence[Trace],
    start: DecisionParameters,
    weights: CostWeights,
    budgets: Sequence[Budget],
    *,
    min_lead_ms: float,
    scalings: Sequence[OutputScaling] = SCALINGS,
) -> ScaledCalibration:
    """Choose a scaling and a threshold with the least cost; the envelope is that of ``start``.

    They are within the first of ``budgets`` that costs at most :data:`DEARER` times as much as no limits do: more would
    mean to miss many shots to save a few false spin-ups. Without such a budget, there are no limits. The output is only
    scaled if that costs less than the threshold alone where nothing was chosen.
    """
    own = [(start.attack, start.release)]
    at = thresholds(FINE_STEPS // 2)
    free = ParameterSearch(traces, start, weights, None, min_lead_ms)
    tables = [free.table(own, thresholds(FINE_STEPS, start.on))]
    tables += [free.table(own, at, traces=scaled_traces(traces, scaling)) for scaling in scalings]
    everything = joined(tables)
    least = free.least_cost(everything)
    for budget in budgets:
        search = ParameterSearch(traces, start, weights, budget, min_lead_ms)
        cost = search.least_cost(everything)
        if least is not None and cost is not None and cost <= DEARER * least:
            return _chosen(search, tables, scalings, own)
    return _chosen(free, tables, scalings, own)


def _chosen(
    search: ParameterSearch, tables: Sequence[CostTable], scalings: Sequence[OutputScaling], own: Sequence[Pair]
) -> ScaledCalibration:
    """Return the choice from all ``tables``, or from the first, without scaling, if that is as good elsewhere."""
    alone, everything = tables[0], joined(tables)
    threshold_only, row = search.calibration(alone), search.best_row(everything)
    assert row is not None  # the caller has checked that something is within the limits
    scaled_row = row - len(alone.parameters)
    gains = scaled_row >= 0 and search.held_out_cost(everything) < search.held_out_cost(alone)
    if threshold_only is not None and not gains:
        return ScaledCalibration(OutputScaling(), threshold_only, search.traces)
    scaling = scalings[scaled_row // len(tables[1].parameters)]
    traces = scaled_traces(search.traces, scaling)
    finely = search.calibration(search.table(own, thresholds(FINE_STEPS), traces=traces))
    assert finely is not None  # these thresholds include the one of the row
    return ScaledCalibration(
        scaling, replace(search.calibration_at(everything, row), parameters=finely.parameters), traces
    )


def scaled_traces(traces: Sequence[Trace], scaling: OutputScaling) -> tuple[Trace, ...]:
    """Return ``traces`` with their outputs scaled."""
    return tuple(Trace(trace.session, scaling.apply(trace.probability)) for trace in traces)
