"""Open and check the logs of ``stinger evaluate`` and ``stinger calibrate``; the options that both share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from models.cli.log_input import open_logs
from models.model_file import Model
from models.provenance import part_seen
from models.sessions import Session
from models.task_runner import TaskRunner
from replay.evaluation.data import EvaluationData, evaluation_data
from replay.trace import Trace, score_sessions, score_sessions_on
from stinger.cli.options import ANY_PATH, Milliseconds, every_option, min_shot_gap_option, rate_option
from stinger.cli.progress import progress_bar
from stinger.cli.repairs import warn
from stinger.errors import InputError
from stinger.shots import MIN_LEAD_MS

_Command = TypeVar("_Command", bound=Callable[..., Any])


def evaluation_options(command: _Command) -> _Command:
    """Add the argument LOG and the options for reading logs to a command."""
    for decorate in (
        every_option,
        rate_option,
        min_shot_gap_option,
        click.option(
            "--min-lead-ms",
            type=Milliseconds(),
            default=MIN_LEAD_MS,
            show_default=True,
            help="A shot is in time if the wheels were on for at least this long before it.",
        ),
        click.argument("log_paths", metavar="LOG...", nargs=-1, required=True, type=ANY_PATH),
    ):
        command = decorate(command)
    return command


def open_data(paths: Sequence[str], *, rate_hz: float, every: int, min_shot_gap_ms: float) -> EvaluationData:
    """Read the logs, also from shared storage.

    Prints a warning for each repair and each recording that is too short to have a rate. Raises
    :class:`~stinger.errors.InputError` for a log that cannot be read or is not at 100 Hz, or if no log has a shot.
    """
    logs = open_logs(paths, rate_hz=rate_hz, every=every)
    data = evaluation_data(logs, min_shot_gap_ms=min_shot_gap_ms, warn=warn)
    if not any(file.shots for file in data.files):
        raise InputError(
            f"{', '.join(file.path for file in data.files)}: the trigger is never pulled, so there is nothing to evaluate"
        )
    return data


def model_traces(model: Model, sessions: Sequence[Session], runner: TaskRunner | None = None) -> tuple[Trace, ...]:
    """Score each of ``sessions`` with ``model`` as a stream, with a progress bar; on ``runner``, if there is one."""
    if runner is not None:
        return score_sessions_on(runner, model, sessions)
    with progress_bar("Scoring", len(sessions)) as progress:
        return score_sessions(model, sessions, progress=progress)


def overlap_warnings(model: Model, data: EvaluationData) -> tuple[str, ...]:
    """Return a warning for each log that the model was trained on.

    Its metadata shows that, whatever the log's name and format.
    """
    return tuple(
        f"The model was trained on {part}{log.path}, so its results on this log are better than on new ones."
        for log, sessions in zip(data.logs, data.sessions_of_logs, strict=True)
        if (part := part_seen(model.meta, sessions, log.sha256)) is not None
    )
