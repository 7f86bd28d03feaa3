"""Train and test a model on the same logs, so that each part is scored by a model that was not trained on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from models.export import ExportOptions, build_dataset
from models.folds import Fold, Stretch, slice_session
from models.saving import fit_dataset
from models.scorer import Probability, WindowModel, score_recording
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
    """Return a trace of each of ``sessions``, and warnings about the fits, a line each.

    Each sample has the output of the model of the fold that tests it: chosen windows, scaler and weights depend only on
    that fold's training sessions, and the exported model file scores. ``progress(1)`` is called after each fold. Raises
    :class:`InputError` for a fold that cannot be trained.
    """
    probability = [np.full(len(session.recording), np.nan, dtype=np.float32) for session in sessions]
    warnings: list[str] = []
    for number, fold in enumerate(folds, start=1):
        try:
            model, fold_warnings = fit_dataset(build_dataset(fold.train, options, about={}), spec, seed=options.seed)
        except InputError as error:
            raise InputError(f"fold {number} of {len(folds)} cannot be trained: {error}") from error
        warnings += [f"fold {number}: {warning}" for warning in fold_warnings]
        for part in fold.test:
            probability[part.session][part.start : part.stop] = score_stretch(model, sessions, part)
        progress(1)
    return tuple(Trace(s, p) for s, p in zip(sessions, probability, strict=True)), tuple(warnings)


def score_stretch(model: WindowModel, sessions: Sequence[Session], stretch: Stretch) -> Probability:
    """Score each sample of ``stretch``; the first windows use the samples before it."""
    begin = max(0, stretch.start - WINDOW_SAMPLES + 1)
    recording = slice_session(sessions[stretch.session], begin, stretch.stop).recording
    return score_recording(model, recording)[stretch.start - begin :]
