"""What is plotted: the sessions of a log, and whether models and training set are for windows such as theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from models.dataset import Dataset
from models.model_meta import serves_rate
from models.sessions import Session, open_sessions
from models.spec import ModelSpec
from models.windows import Span, span_of
from stinger.errors import FileError, InputError
from stinger.logs import Log
from stinger.mlmd import WINDOW_SAMPLES
from stinger.sample import SAMPLE_RATE_HZ


def sessions_to_plot(
    log: Log, *, min_shot_gap_ms: float, lead_ms: float, window_ms: float
) -> tuple[tuple[Session, ...], list[Span]]:
    """The sessions of ``log`` whose time advances; :class:`FileError` if there is none, or none long enough."""
    sessions = open_sessions([log], min_shot_gap_ms=min_shot_gap_ms)
    sessions = tuple(session for session in sessions if session.recording.step_ms is not None)
    if not sessions:
        raise FileError(log.path, "time does not advance from sample to sample: nothing to plot over")
    spans = [span_of(session.recording, lead_ms=lead_ms, window_ms=window_ms) for session in sessions]
    if all(len(session.recording) <= span.total for session, span in zip(sessions, spans, strict=True)):
        needed = min(span.total for span in spans) + 1
        raise FileError(log.path, f"too short for one prediction: {lead_ms:g} + {window_ms:g} ms need {needed} samples")
    return sessions, spans


def check_model_files(
    sessions: Sequence[Session], spans: Sequence[Span], dataset: Dataset | None, train_dir: Path
) -> None:
    """Raise :class:`InputError` where windows are not those that a model file takes."""
    for session, span in zip(sessions, spans, strict=True):
        if span.window_samples != WINDOW_SAMPLES:
            rate_hz = session.recording.rate_hz or 0.0
            raise InputError(
                f"a model file takes windows of {WINDOW_SAMPLES} samples, those of {session.name} have "
                f"{span.window_samples}: "
                + (
                    "--window-ms 500"
                    if serves_rate(rate_hz)
                    else f"it has {rate_hz:g} samples a second, not {SAMPLE_RATE_HZ}"
                )
            )
    if dataset is not None and dataset.windows.shape[1] != WINDOW_SAMPLES:
        raise InputError(
            f"a model file takes windows of {WINDOW_SAMPLES} samples, those in {train_dir} have "
            f"{dataset.windows.shape[1]}: name another --train-dir"
        )


def check_dataset(
    dataset: Dataset,
    train_dir: Path,
    sessions: Sequence[Session],
    spans: Sequence[Span],
    to_train: Sequence[ModelSpec],
    *,
    lead_ms: float,
    window_ms: float,
) -> None:
    """Warn where what is scored is not what the models were trained on; :class:`InputError` where they cannot take it."""
    trained = dataset.windows.shape[1]
    trained_lead_ms = dataset.meta.get("lead_ms", lead_ms)
    if trained_lead_ms != lead_ms:
        click.echo(
            f"Warning: {train_dir} was exported with a lead of {trained_lead_ms:g} ms, here it is {lead_ms:g}: "
            "make --lead-ms that of the export",
            err=True,
        )
    other = [(s, span) for s, span in zip(sessions, spans, strict=True) if span.window_samples != trained]
    if not other:
        return
    session, span = other[0]
    if dataset.meta.get("window_ms", 0) == window_ms:
        advice = "the rate of the samples differs, so the models see another motion: record at one rate"
    else:
        advice = "make --window-ms that of the export"
    message = (
        f"{train_dir} holds windows of {trained} samples, those of the recording have {span.window_samples} "
        f"({session.recording.rate_hz or 0:g} Hz): {advice}"
    )
    unable = [str(spec) for spec in to_train if spec.features == "flatten"]
    if unable:
        raise InputError(f"{', '.join(unable)} takes samples one by one, and {message}")
    click.echo(f"Warning: {message}", err=True)
