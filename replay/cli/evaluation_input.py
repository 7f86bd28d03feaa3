"""What is evaluated: logs opened, checked and described, and the options that both evaluating commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from models.decision import HIGHEST_ON, LOWEST_ON
from models.model_file import Model
from models.model_meta import serves_rate
from models.scorer import score_recording
from models.sessions import Session, open_sessions
from replay.evaluation import MIN_LEAD_MS
from replay.evaluation_report import DataFile
from replay.trace import Trace
from stinger.cli.options import Milliseconds, every_option, min_shot_gap_option, rate_option
from stinger.cli.progress import progress_bar
from stinger.cli.repairs import warn_of_repairs
from stinger.errors import FileError, InputError
from stinger.logs import Log, read_log
from stinger.sample import SAMPLE_RATE_HZ

_Command = TypeVar("_Command", bound=Callable[..., Any])

THRESHOLD_HELP = f"Where the wheels go on, {LOWEST_ON:g} to {HIGHEST_ON:g}; they go off at half of it."


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationData:
    """Sessions that can be evaluated, and what each log is."""

    sessions: tuple[Session, ...]
    logs: tuple[Log, ...]
    files: tuple[DataFile, ...]


def evaluation_options(command: _Command) -> _Command:
    """Give a command the logs and how to read them."""
    for decorate in (
        every_option,
        rate_option,
        min_shot_gap_option,
        click.option(
            "--min-lead-ms",
            type=Milliseconds(),
            default=MIN_LEAD_MS,
            show_default=True,
            help="A shot is in time if the wheels were on for so long before it.",
        ),
        click.argument("log_paths", metavar="LOG...", nargs=-1, required=True, type=click.Path()),
    ):
        command = decorate(command)
    return command


def open_data(paths: Sequence[str], *, rate_hz: float, every: int, min_shot_gap_ms: float) -> EvaluationData:
    """Read the logs; what was repaired is told on stderr, and so is each recording too short to have a rate.

    Raises :class:`~stinger.errors.InputError` for a log that cannot be read, is not at 100 Hz, or if no log has a shot.
    """
    logs = tuple(read_log(path, rate_hz=rate_hz, every=every) for path in paths)
    for log in logs:
        warn_of_repairs(log)
    everything = open_sessions(logs, min_shot_gap_ms=min_shot_gap_ms)
    for session in everything:
        if session.recording.rate_hz is None:
            click.echo(f"Warning: {session.name}: left out, as its time does not advance", err=True)
    files = []
    position = 0
    for log in logs:
        own = everything[position : position + len(log.recordings)]
        position += len(own)
        _check_rates(log, own)
        files.append(_describe(log, own))
    if not any(file.shots for file in files):
        raise InputError(
            f"{', '.join(file.path for file in files)}: the trigger is never pulled: no shot to evaluate on"
        )
    sessions = tuple(session for session in everything if session.recording.rate_hz is not None)
    return EvaluationData(sessions, logs, tuple(files))


def model_traces(model: Model, data: EvaluationData) -> tuple[Trace, ...]:
    """What ``model`` says of each session, as a stream."""
    with progress_bar("Scoring", len(data.sessions)) as progress:
        traces = []
        for session in data.sessions:
            traces.append(Trace(session, score_recording(model, session.recording)))
            progress(1)
    return tuple(traces)


def overlap_remarks(model: Model, data: EvaluationData) -> tuple[str, ...]:
    """A warning for each log that the model says it was trained on."""
    training = json.dumps(model.meta.training)
    return tuple(
        f"The model was trained on {log.path}: it has seen these shots, so the numbers flatter it."
        for log in data.logs
        if log.sha256 in training
    )


def _check_rates(log: Log, sessions: Sequence[Session]) -> None:
    for session in sessions:
        rate_hz = session.recording.rate_hz
        if rate_hz is not None and not serves_rate(rate_hz):
            raise FileError(log.path, f"has {rate_hz:g} samples a second; model and decision take {SAMPLE_RATE_HZ}")


def _describe(log: Log, sessions: Sequence[Session]) -> DataFile:
    recorded_ms = sum(session.recording.recorded_ms for session in sessions)
    return DataFile(
        path=log.path,
        sha256=log.sha256,
        minutes=recorded_ms / 60_000,
        recordings=len(sessions),
        accepted_shots=sum(session.accepted_shots for session in sessions),
        shots=sum(len(session.shots) for session in sessions),
    )
