"""Evaluate traces at many thresholds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from models.decision_parameters import DecisionParameters
from models.threshold import HIGHEST_THRESHOLD, LOWEST_THRESHOLD
from replay.evaluation.evaluate import Evaluation, evaluate_followed, follow_traces
from replay.trace import Trace

TABLE_STEPS: Final = 18
"""Thresholds 0.05 apart: for tables."""
FINE_STEPS: Final = 90
"""Thresholds 0.01 apart: for pictures and for a choice."""


def thresholds(steps: int, *also: float) -> tuple[float, ...]:
    """Return ``steps`` + 1 thresholds from the lowest to the highest allowed one, and those in ``also``, ascending."""
    width = HIGHEST_THRESHOLD - LOWEST_THRESHOLD
    return tuple(sorted({*also, *(round(LOWEST_THRESHOLD + width * i / steps, 6) for i in range(steps + 1))}))


def sweep(
    traces: Sequence[Trace],
    parameters: DecisionParameters,
    at: Sequence[float],
    *,
    min_lead_ms: float,
    progress: Callable[[int], object] = lambda _: None,
) -> tuple[Evaluation, ...]:
    """Evaluate ``traces`` at each threshold of ``at``.

    Wheels go off at half of it, the rest is as in ``parameters``. At the threshold of ``parameters`` itself, wheels go
    off at ``parameters.off``. ``progress(1)`` is called after each.
    """
    rows = []
    followed = follow_traces(traces, parameters)
    for on in at:
        rows.append(evaluate_followed(followed, parameters_at(parameters, on), min_lead_ms=min_lead_ms))
        progress(1)
    return tuple(rows)


def parameters_at(parameters: DecisionParameters, on: float) -> DecisionParameters:
    """Return ``parameters`` with the threshold ``on`` and ``off`` at half of it.

    They are unchanged if that is their threshold.
    """
    return parameters if on == parameters.on else parameters.at(on)
