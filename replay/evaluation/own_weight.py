"""Choose how much a person's own recordings count beside those of others in training.

The choice is made on held-out parts of the person's own recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.folds import Fold
from models.row_options import RowOptions
from models.sessions import Session
from models.spec import ModelSpec
from models.task_runner import TaskRunner
from models.training_rows import BaseRows, TrainingRows
from replay.evaluation.evaluate import average_precision
from replay.evaluation.out_of_fold import out_of_fold_traces
from replay.trace import Trace

OWN_WEIGHTS: Final = (1.0, 4.0, 16.0)
"""Each own row counts as much as so many rows of others; training on the own rows alone is tried as well."""


@dataclass(frozen=True, slots=True, eq=False)
class WeightChoice:
    """How a model is to be trained: on own recordings and ``base``, or without others if that is ``None``.

    ``traces`` are the outputs for each own session: in each fold, those of the choice that was best in the other folds.
    (The models compared there were trained on that fold as well, so a choice is not wholly independent of it.)
    """

    base: BaseRows | None
    traces: tuple[Trace, ...]
    warnings: tuple[str, ...]


def choose_own_weight(
    sessions: Sequence[Session],
    folds: Sequence[Fold],
    spec: ModelSpec,
    options: RowOptions,
    runner: TaskRunner,
    *,
    others: Sequence[TrainingRows] = (),
    own_weights: Sequence[float] = OWN_WEIGHTS,
) -> WeightChoice:
    """Train ``spec`` on ``sessions`` alone and together with ``others``, and choose between them.

    The choice is by average precision on held-out parts. Without ``others``, there is nothing to choose. Raises
    :class:`~stinger.errors.InputError` for a fold that cannot be trained.
    """
    bases: list[BaseRows | None] = [None]
    if others:
        bases += [BaseRows(tuple(others), weight) for weight in own_weights]
    traces, warnings = [], []
    for base in bases:
        own, lines = out_of_fold_traces(sessions, folds, spec, options, runner, base=base)
        traces.append(own)
        warnings += [line for line in lines if line not in warnings]
    chosen = bases[_best(traces)]
    held_out = traces[0] if len(bases) == 1 else _of_other_folds(traces, folds)
    return WeightChoice(chosen, held_out, tuple(warnings))


def _of_other_folds(candidates: Sequence[Sequence[Trace]], folds: Sequence[Fold]) -> tuple[Trace, ...]:
    """Return for each fold the outputs of the one of ``candidates`` that is best in the other folds."""
    joined = [trace.probability.copy() for trace in candidates[0]]
    for fold in folds:
        best = candidates[_best([_without(traces, fold) for traces in candidates])]
        for one in fold.test:
            joined[one.session][one.start : one.stop] = best[one.session].probability[one.start : one.stop]
    return tuple(Trace(trace.session, own) for trace, own in zip(candidates[0], joined, strict=True))


def _without(traces: Sequence[Trace], fold: Fold) -> list[Trace]:
    """Return ``traces`` without an output where ``fold`` tests."""
    probabilities = [trace.probability.copy() for trace in traces]
    for one in fold.test:
        probabilities[one.session][one.start : one.stop] = np.nan
    return [Trace(trace.session, own) for trace, own in zip(traces, probabilities, strict=True)]


def _best(candidates: Sequence[Sequence[Trace]]) -> int:
    """Return the position of the candidate with the highest average precision; the first of equals."""
    precisions = [average_precision(traces) for traces in candidates]
    return int(np.argmax([-1.0 if one is None else one.value for one in precisions]))
