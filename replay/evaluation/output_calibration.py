"""Choose how the output of a model for the blaster is scaled, together with the threshold for its menu."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from models.decision_parameters import DecisionParameters
from models.output_scaling import OutputScaling
from replay.evaluation.calibration import Calibration, ParameterSearch, joined
from replay.evaluation.cost import CostWeights
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
    budget: Budget | None = None,
    *,
    min_lead_ms: float,
    scalings: Sequence[OutputScaling] = SCALINGS,
) -> ScaledCalibration | None:
    """Choose a scaling and a threshold with the least cost within ``budget``; ``None`` if none is within it.

    The envelope is that of ``start``. The output is only scaled if that costs less than the threshold alone where neither
    was chosen.
    """
    search = ParameterSearch(traces, start, weights, budget, min_lead_ms)
    own = [(start.attack, start.release)]
    at = thresholds(FINE_STEPS // 2)
    alone = search.table(own, thresholds(FINE_STEPS, start.on))
    scaled = [search.table(own, at, traces=scaled_traces(traces, scaling)) for scaling in scalings]
    everything = joined([alone, *scaled])
    together, threshold_only = search.best_row(everything), search.calibration(alone)
    if together is None:
        return None
    first_scaled = len(alone.parameters)
    gains = together >= first_scaled and search.held_out_cost(everything) < search.held_out_cost(alone)
    if threshold_only is not None and not gains:
        return ScaledCalibration(OutputScaling(), threshold_only, tuple(traces))
    scaling = scalings[(together - first_scaled) // len(at)]
    chosen = scaled_traces(traces, scaling)
    finely = search.calibration(search.table(own, thresholds(FINE_STEPS), traces=chosen))
    assert finely is not None  # the thresholds include those of `at`
    calibration = replace(search.calibration_at(everything, together), parameters=finely.parameters)
    return ScaledCalibration(scaling, calibration, chosen)


def scaled_traces(traces: Sequence[Trace], scaling: OutputScaling) -> tuple[Trace, ...]:
    """Return ``traces`` with their outputs scaled."""
    return tuple(Trace(trace.session, scaling.apply(trace.probability)) for trace in traces)
