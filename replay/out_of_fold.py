"""A model tested on the logs it was trained on, without ever having seen what it is tested on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from models.dataset import Dataset
from models.estimators import fit_estimator, make_estimator
from models.export import ExportOptions, build_dataset
from models.features import compute_features
from models.folds import Fold, piece_of
from models.graph.export import export_estimator
from models.keeping import now_utc, software
from models.model_file import Model, open_model
from models.model_meta import ModelMeta
from models.scorer import score_recording
from models.sessions import Session
from models.spec import ModelSpec
from replay.trace import Trace
from stinger.errors import InputError
from stinger.mlmd import WINDOW_SAMPLES


def out_of_fold_traces(
    sessions: Sequence[Session],
    folds: Sequence[Fold],
    spec: ModelSpec,
    options: ExportOptions,
    *,
    progress: Callable[[int], object] = lambda _: None,
) -> tuple[tuple[Trace, ...], tuple[str, ...]]:
    """A trace of each of ``sessions``, and remarks about the fits, a line each.

    Each sample has the output of the model of the fold that tests it: chosen windows, scaler and weights come from that
    fold's training pieces alone, and the output from the model file that would be served. ``progress`` is told of each
    fold done. Raises :class:`InputError` for a fold that leaves nothing to learn from.
    """
    probability = [np.full(len(session.recording), np.nan, dtype=np.float32) for session in sessions]
    remarks: list[str] = []
    for number, fold in enumerate(folds, start=1):
        try:
            model, fold_remarks = _train(build_dataset(fold.train, options, about={}), spec, options.seed)
        except InputError as error:
            raise InputError(f"fold {number} of {len(folds)} cannot be trained: {error}") from error
        remarks += [f"fold {number}: {remark}" for remark in fold_remarks]
        for part in fold.test:
            # The window of the first tested sample reaches back so far.
            begin = max(0, part.start - WINDOW_SAMPLES + 1)
            recording = piece_of(sessions[part.session], begin, part.stop).recording
            scored = score_recording(model, recording)
            probability[part.session][part.start : part.stop] = scored[part.start - begin :]
        progress(1)
    return tuple(Trace(s, p) for s, p in zip(sessions, probability, strict=True)), tuple(remarks)


def _train(dataset: Dataset, spec: ModelSpec, seed: int) -> tuple[Model, tuple[str, ...]]:
    features = compute_features(dataset.windows, spec.features)
    estimator = make_estimator(spec.model, spec.features, seed=seed, labels=dataset.labels, n_jobs=-1)
    remarks = fit_estimator(estimator, features, dataset.labels)
    meta = ModelMeta(
        estimator=spec.model,
        features=spec.features,
        software=software(),
        created=now_utc(),
        window_samples=int(dataset.windows.shape[1]),
        rate_hz=dataset.meta["estimated_hz"],
        lead_ms=dataset.meta["lead_ms"],
    )
    return open_model(export_estimator(estimator, meta)), remarks
