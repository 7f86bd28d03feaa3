"""Train and test a model on the same logs, so that each part is scored by a model that was not trained on it."""

from __future__ import annotations

from collections.abc import Sequence

from models.folds import Fold, HeldOut
from models.row_options import RowOptions
from models.sessions import Session
from models.spec import ModelSpec
from models.task_runner import TaskRunner
from models.training_rows import BaseRows
from replay.evaluation.held_out import score_candidates
from replay.trace import Trace
from stinger.errors import InputError


def out_of_fold_traces(
    sessions: Sequence[Session],
    folds: Sequence[Fold],
    spec: ModelSpec,
    options: RowOptions,
    runner: TaskRunner,
    *,
    changed: Sequence[Session] = (),
    base: BaseRows | None = None,
) -> tuple[tuple[Trace, ...], tuple[str, ...]]:
    """Return a trace of each of ``sessions`` and then of ``changed``, and warnings about training, a line each.

    ``changed`` are one or more sets of copies of all ``sessions``; a copy is tested by the model that tests its
    original. Every model is trained on ``base`` as well.

    Each sample has the output of the model of the fold that tests it: rows, scaler and weights depend only on that
    fold's training sessions, and the exported model file scores. Raises :class:`InputError` for a fold that cannot be
    trained.
    """
    test = HeldOut(tuple(sessions), tuple(range(len(sessions))), tuple(folds), tuple(changed))
    (candidate,), warnings = score_candidates([spec], test, options, runner, base=base)
    if candidate.failure is not None:
        raise InputError(f"{spec} cannot be trained: {candidate.failure}")
    return candidate.traces, (*warnings, *candidate.warnings)
