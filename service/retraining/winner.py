"""Training the winner of a contest on all data."""

from __future__ import annotations

from models.model_file import Model
from models.model_meta import ModelMeta, now_utc, software
from models.provenance import trained_on
from models.task_runner import TaskRunner
from replay.evaluation.contest import Contender
from replay.evaluation.held_out import train_on_all
from service.retraining.report_values import metrics_of
from service.retraining.result import RetrainingResult


def train_winner(result: RetrainingResult, winner: Contender, runner: TaskRunner) -> tuple[Model, tuple[str, ...]]:
    """Train a model like ``winner`` on all data of ``result``; return it, and warnings about the fit.

    Its file holds the threshold with the least cost within the budget, and the winner's metrics at this threshold on
    the held-out sessions. Raises :class:`~stinger.errors.InputError` if the model is too large for a file.
    """
    assert winner.within is not None
    options = result.config.retrain.row_options()
    sessions = result.data.sessions
    meta = ModelMeta(
        spec=winner.name,
        software=software(),
        created=now_utc(),
        lead_ms=options.lead_ms,
        decision=winner.within.parameters,
        training=trained_on(sessions, [item.sha256 for item in result.data.items]),
        metrics=metrics_of(winner.within, len(winner.sessions)),
    )
    return train_on_all(sessions, meta, options, runner)
