"""The model of the challenger that won, trained on everything there is."""

from __future__ import annotations

from models.model_file import Model
from models.model_meta import ModelMeta
from models.provenance import trained_on
from models.saving import now_utc, software
from models.spec import parse_spec
from models.task_runner import TaskRunner
from replay.evaluation.contest import Contender
from replay.evaluation.held_out import train_on_all
from service.retraining.report import metrics_of
from service.retraining.result import Retraining


def train_winner(found: Retraining, winner: Contender, runner: TaskRunner) -> tuple[Model, tuple[str, ...]]:
    """The model, with the threshold that was chosen for it and how it did on what is held out; and remarks about the fit.

    Raises :class:`~stinger.errors.InputError` if it is too large for a file.
    """
    assert winner.point is not None
    spec = parse_spec(winner.name)
    options = found.config.retrain.export_options()
    sessions = found.gathered.sessions
    meta = ModelMeta(
        estimator=spec.model,
        features=spec.features,
        software=software(),
        created=now_utc(),
        lead_ms=options.lead_ms,
        decision=winner.point.parameters,
        training=trained_on(sessions, [source.sha256 for source in found.gathered.sources]),
        metrics=metrics_of(winner.point, len(winner.sessions)),
    )
    return train_on_all(sessions, meta, options, runner)
