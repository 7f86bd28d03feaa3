"""A model tested on the logs it was trained on, without ever having seen what it is tested on."""

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
    """A trace of each of ``sessions``, and warnings about the fits, a line each.

    Each sample has the output of the model of the fold that tests it: chosen windows, scaler and weights come from that
    fold's training pieces alone, and the output from the model file that would be served. ``progress`` is told of each
    fold done. Raises :class:`InputError` for a fold that leaves nothing to learn from.
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
    """What ``model`` says at each sample of ``stretch``, whose first windows reach back to before it."""
    begin = max(0, stretch.start - WINDOW_SAMPLES + 1)
    recording = slice_session(sessions[stretch.session], begin, stretch.stop).recording
    return score_recording(model, recording)[stretch.start - begin :]
