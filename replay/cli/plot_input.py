"""Check the input of ``stinger plot``: the sessions of the log, and the training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np

from models.dataset import Dataset, check_savable
from models.model_file import Model
from models.provenance import fingerprint_of_rows, part_seen, part_within
from models.sessions import Session, check_rates, open_sessions
from models.windows import WINDOW_MS, Span, span_of
from stinger.errors import FileError, InputError
from stinger.logs import Log
from stinger.mlmd import WINDOW_SAMPLES
from stinger.sample import SAMPLE_RATE_HZ


def check_window(window_ms: float) -> None:
    """Raise :class:`InputError` unless ``window_ms`` is the length of window that models take."""
    if window_ms != WINDOW_MS:
        raise InputError(
            f"--window-ms {window_ms:g}: a model takes windows of {WINDOW_MS} ms ({WINDOW_SAMPLES} samples at "
            f"{SAMPLE_RATE_HZ} Hz), as a blaster does, and no others can be plotted"
        )


def sessions_to_plot(
    log: Log, *, min_shot_gap_ms: float, lead_ms: float
) -> tuple[tuple[Session, ...], tuple[Span, ...]]:
    """Return the sessions of ``log`` whose time advances, and lead and window of each in samples.

    Raises :class:`FileError` if there is none, if none is long enough for one prediction, or if one is not at 100 Hz.
    """
    sessions = open_sessions([log], min_shot_gap_ms=min_shot_gap_ms)
    sessions = tuple(session for session in sessions if session.recording.step_ms is not None)
    if not sessions:
        raise FileError(log.path, "time does not advance from sample to sample: nothing to plot over")
    check_rates(log, sessions)
    spans = tuple(span_of(session.recording, lead_ms=lead_ms) for session in sessions)
    if all(len(session.recording) <= span.total for session, span in zip(sessions, spans, strict=True)):
        needed = min(span.total for span in spans) + 1
        raise FileError(log.path, f"too short for one prediction: {lead_ms:g} + {WINDOW_MS} ms need {needed} samples")
    return sessions, spans


def warn_of_overlap(
    log: Log, sessions: Sequence[Session], models: Mapping[str, Model], dataset: Dataset | None
) -> None:
    """Warn if one of ``models``, by the names of their files, was trained on ``log``, or if ``dataset`` is from it.

    ``dataset`` is what other models are trained on; ``None`` if there are none.
    """
    parts = {f"{name} was": part_seen(model.meta, sessions, log.sha256) for name, model in models.items()}
    if dataset is not None:
        parts["the models are"] = part_within(fingerprint_of_rows(dataset, np.arange(len(dataset))), sessions)
    for subject, part in parts.items():
        if part is not None:
            click.echo(
                f"Warning: {subject} trained on {part}{log.path}: there the output looks better than on a new recording",
                err=True,
            )


def check_dataset(dataset: Dataset, train_dir: Path, *, lead_ms: float) -> None:
    """Raise :class:`InputError` for windows that no model takes.

    Warns if the lead of the training set is not ``lead_ms``.
    """
    try:
        check_savable(dataset)
    except InputError as error:
        raise InputError(f"{train_dir}: {error}") from error
    if dataset.lead_ms != lead_ms:
        click.echo(
            f"Warning: {train_dir} was exported with a lead of {dataset.lead_ms:g} ms, here it is {lead_ms:g}: "
            "set --lead-ms to the lead of the export",
            err=True,
        )
