"""How certain the figures of an evaluation are, and what they would be by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.decision_parameters import DecisionParameters
from replay.evaluation.block_bootstrap import BlockBootstrap, Estimate
from replay.evaluation.cost import Blocks, Numbers, cost_table, divide_into_blocks
from replay.evaluation.evaluate import AveragePrecision, FollowedTrace, follow_traces, positive_samples
from replay.evaluation.events import match_events
from replay.evaluation.intervals import CONFIDENCE
from replay.trace import Trace

_BINS: Final = 1000
"""Outputs are divided into so many classes of equal size to compute the average precision of each draw."""
_SHIFTS: Final = 50


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """95 % intervals by bootstrap, and figures by chance.

    ``false_by_chance`` are the false spin-ups a minute if the shots had come at random moments: the mean over random
    shifts of the shots in time. ``average_precision`` is ``None`` without a positive sample.
    """

    duty: Estimate
    average_precision: Estimate | None
    false_by_chance: float


def uncertainty_of(
    traces: Sequence[Trace],
    parameters: DecisionParameters,
    precision: AveragePrecision | None,
    *,
    min_lead_ms: float,
    seed: int = 1,
) -> Uncertainty:
    """Compute the intervals and figures by chance of ``traces`` at ``parameters``.

    ``precision`` is that of ``traces``.
    """
    blocks = divide_into_blocks(traces)
    followed = follow_traces(traces, parameters)
    bootstrap = BlockBootstrap(blocks, confidence=CONFIDENCE, seed=seed)
    counts = cost_table(followed, blocks, [parameters], min_lead_ms=min_lead_ms).counts[0]
    return Uncertainty(
        duty=bootstrap.ratio(counts[:, 2], blocks.minutes),
        average_precision=None if precision is None else _precision_interval(traces, blocks, precision, bootstrap),
        false_by_chance=_false_by_chance(followed, parameters, seed),
    )


def _precision_interval(
    traces: Sequence[Trace], blocks: Blocks, precision: AveragePrecision, bootstrap: BlockBootstrap
) -> Estimate:
    outputs, labels, positions = [], [], []
    first = 0
    for trace, edges in zip(traces, blocks.edges, strict=True):
        positive, counted = positive_samples(trace)
        samples = np.flatnonzero(counted)
        outputs.append(trace.probability[samples])
        labels.append(positive[samples])
        positions.append(first + np.searchsorted(edges, samples, side="right") - 1)
        first += edges.size - 1
    output, label, block = np.concatenate(outputs), np.concatenate(labels), np.concatenate(positions)
    limits = np.unique(np.quantile(output, np.linspace(0, 1, _BINS + 1)[1:-1]))
    bins = np.searchsorted(limits, output, side="left")
    width = limits.size + 1
    histogram = np.zeros((blocks.session.size, 2, width))
    np.add.at(histogram, (block, label.astype(int), width - 1 - bins), 1)
    drawn = bootstrap.totals(histogram)
    if drawn is None:
        return Estimate(precision.value, -np.inf, np.inf)
    # Classes lose a little precision: the interval is moved by the difference.
    moved = precision.value - _binned_precision(histogram.sum(axis=0)[np.newaxis])[0]
    return bootstrap.interval(precision.value, np.clip(_binned_precision(drawn) + moved, 0, 1))


def _binned_precision(histogram: Numbers) -> Numbers:
    """Return the average precision ``(d,)`` of counts ``(d, 2, bins)`` of negatives and positives, highest outputs first."""
    found = np.cumsum(histogram, axis=2)
    precision = found[:, 1] / np.maximum(found.sum(axis=1), 1)
    positives = np.maximum(found[:, 1, -1], 1)
    averaged: Numbers = (histogram[:, 1] * precision).sum(axis=1) / positives
    return averaged


def _false_by_chance(followed: Sequence[FollowedTrace], parameters: DecisionParameters, seed: int) -> float:
    rng = np.random.default_rng(seed)
    false, minutes = 0, 0.0
    for one in followed:
        trace = one.trace
        minutes += trace.session.recording.recorded_ms / 60_000
        times = one.levels.spin_ups(parameters.on, parameters.off).times_ms
        index = trace.session.shots.without_dismissed().index
        for shift in rng.integers(0, trace.time_ms.size, _SHIFTS):
            shot_ms = np.sort(trace.time_ms[(index + shift) % trace.time_ms.size])
            false += int(np.count_nonzero(match_events(times, shot_ms, min_lead_ms=0).false))
    return false / _SHIFTS / minutes if minutes else 0.0
