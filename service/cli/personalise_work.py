"""Fetch a log, train on it, show the results and upload the models: the work of ``stinger personalise``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import click

from models.repeats import without_samples_of
from models.sessions import Session
from models.spec import ModelSpec
from models.stream_rows import StreamOptions
from models.task_runner import TaskRunner
from models.workers import Workers
from replay.evaluation.data import EvaluationData, evaluation_data
from replay.plots.predictions import PredictionOptions
from replay.plots.shot_choice import ShotOrder
from service.cli.port_options import connect, notify
from service.cli.pull import describe_log, log_warnings
from service.config.loading import load_config
from service.retraining.training_data import read_training_data
from service.round_trip.personal_files import (
    LOG_FILE,
    PICTURE_OPTIONS,
    PersonalFiles,
    count_pictures,
    write_personal,
)
from service.round_trip.personal_report import MENU_NAMES, others_lines, result_lines, verdict_lines
from service.round_trip.personalising import (
    ROWS,
    SPECS,
    NotYetError,
    PersonalModel,
    choose_test_folds,
    personalise,
)
from service.round_trip.pulling import PulledLog, pull_log
from service.round_trip.pushing import push_models, read_upload
from service.round_trip.recording_quality import quality_line, quality_of
from stinger.cli.progress import progress_bar
from stinger.cli.repairs import warn_of_repairs
from stinger.errors import DeviceError, FileError, StingerError
from stinger.files import check_output, make_folder, write_bytes
from stinger.logs import read_marked_log
from stinger.shots import MIN_SHOT_GAP_MS
from stinger.wire.commands import ModelSlot

OTHERS_MAX_HOURS: Final = 10.0
"""Of the recordings in the data folder, the newest up to this length are used."""
_EMPTY: Final = {"no log data", "no log file"}


@dataclass(frozen=True, slots=True)
class PersonaliseSettings:
    """Settings that a test can replace: click passes them to the command as the context's object."""

    specs: Mapping[ModelSpec, ModelSlot]
    """The kinds of model to train, and the slot of each."""
    pictures: PredictionOptions
    is_interactive: Callable[[], bool]
    """Returns whether a person can answer a question."""
    rows: StreamOptions = ROWS
    """The rows that models are trained on, and how often."""


def _is_interactive() -> bool:
    return sys.stdin.isatty()


DEFAULT_SETTINGS: Final = PersonaliseSettings(SPECS, PICTURE_OPTIONS, _is_interactive)


def fetch_train_upload(
    settings: PersonaliseSettings,
    *,
    logs: Sequence[str],
    port: str | None,
    baud: int,
    data_dir: str | None,
    no_others: bool,
    shots: ShotOrder,
    outdir: Path | None,
    yes: bool,
) -> None:
    """Do what ``stinger personalise`` says of its arguments. Raises the errors of :mod:`stinger.errors`."""
    folder = outdir or Path("ml_out", "personal", f"{datetime.now().astimezone():%Y-%m-%d_%H%M%S}")
    if (folder / LOG_FILE).exists():
        raise FileError(folder, f"holds a {LOG_FILE} already: choose another --outdir")
    try:
        data = _read(logs) if logs else _fetch(port, baud, folder)
        _show_quality(data)
        division, folds = choose_test_folds(data)
        others = () if no_others else _others(load_config(None, os.environ, {"data_dir": data_dir}).data_dir, data)
        runner = TaskRunner(Workers(), progress_bar)
        models = personalise(
            data, division, folds, specs=settings.specs, others=others, rows=settings.rows, runner=runner
        )
    except NotYetError as not_yet:
        click.echo(f"Not yet: {not_yet}")
        if not_yet.reason:
            notify(f"Details: {not_yet.reason}")
        return
    with progress_bar("Drawing", count_pictures(models, settings.pictures)) as progress:
        files = write_personal(
            folder, models, options=settings.pictures, shots=shots, others=len(others), progress=progress
        )
    used = others_lines(models, len(others))
    results = [*result_lines(models), *([""] if used else []), *used]
    click.echo("\n".join(["", *results, "", *_list_files(files), "", *verdict_lines(models), ""]))
    chosen = [(model, path) for model, path in zip(models, files.blaster_files, strict=True) if model.beats_chance]
    if not chosen:
        click.echo("Not yet: no model is better than chance, and the blaster was not changed. Record more.")
    elif yes or _confirmed(chosen, settings):
        _push(port, baud, chosen)
    else:
        click.echo(f"The blaster was not changed. To upload later: {_push_command(chosen)}")


def _fetch(port: str | None, baud: int, folder: Path) -> EvaluationData:
    """Fetch the log and write it into ``folder``. Raises :class:`NotYetError` if the blaster has none."""
    with _new_folder(folder):
        check_output(folder / LOG_FILE)
        try:
            with connect(port, baud) as client:
                pulled = pull_log(client, folder / LOG_FILE, transfer=partial(progress_bar, "Fetching the log"))
        except DeviceError as refused:
            if refused.reason in _EMPTY:
                raise NotYetError(str(refused)) from refused
            raise
        write_bytes(folder / LOG_FILE, pulled.data)
    for line in log_warnings(pulled, folder / LOG_FILE):
        _warn(line)
    click.echo(f"{folder / LOG_FILE}: {describe_log(pulled)}")
    return _evaluation_data(pulled, folder)


def _read(logs: Sequence[str]) -> EvaluationData:
    read = [read_marked_log(path) for path in logs]
    for log in read:
        warn_of_repairs(log)
    return evaluation_data(read, warn=_warn)


def _others(folder: Path, data: EvaluationData) -> tuple[Session, ...]:
    """Return the recordings in the data ``folder`` that share no samples with ``data``."""
    found = read_training_data(
        folder, (), max_hours=OTHERS_MAX_HOURS, min_shot_gap_ms=MIN_SHOT_GAP_MS, bar=progress_bar
    )
    for line in found.warnings:
        _warn(line)
    others, warnings = without_samples_of(data.sessions, found.sessions)
    for line in warnings:
        _warn(line)
    return others


def _show_quality(data: EvaluationData) -> None:
    quality = quality_of(data.sessions)
    click.echo(quality_line(quality))
    for line in quality.warnings:
        click.echo(f"Warning: {line}")


def _warn(line: str) -> None:
    notify(f"Warning: {line}")


def _evaluation_data(pulled: PulledLog, folder: Path) -> EvaluationData:
    if pulled.log is None:
        raise FileError(folder / LOG_FILE, f"cannot train on a damaged log ({pulled.damage})")
    return evaluation_data([pulled.log], warn=_warn)


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Create ``folder`` and its parents; if the block fails, remove those created that are empty."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    make_folder(folder)
    try:
        yield
    except BaseException:
        for path in missing:
            with suppress(OSError):
                path.rmdir()
        raise


def _confirmed(chosen: Sequence[tuple[PersonalModel, Path]], settings: PersonaliseSettings) -> bool:
    names = " and ".join(MENU_NAMES[model.slot] for model, _ in chosen)
    if not settings.is_interactive():
        notify("The input is not a terminal, so no question can be asked: use --yes to upload the models.")
        return False
    return click.confirm(f"Upload {names} to the blaster now? Models uploaded before are replaced.", default=False)


def _push(port: str | None, baud: int, chosen: Sequence[tuple[PersonalModel, Path]]) -> None:
    uploads = [read_upload(path, model.slot) for model, path in chosen]
    try:
        with connect(port, baud) as client:
            push_models(client, uploads, load=True)
    except StingerError:
        notify(f"The models are kept. To try again: {_push_command(chosen)}")
        raise
    names = " or ".join(f"ML:{MENU_NAMES[model.slot]} (threshold {model.threshold_percent} %)" for model, _ in chosen)
    click.echo(f"Done. Unplug the blaster and choose {names} in its menu, under Motor, Idling.")


def _push_command(chosen: Sequence[tuple[PersonalModel, Path]]) -> str:
    """Return the command that uploads ``chosen``."""
    return " ".join(["stinger push", *(f"--{MENU_NAMES[model.slot].lower()} {path}" for model, path in chosen)])


def _list_files(files: PersonalFiles) -> list[str]:
    listed = [
        (files.overview, "probabilities over the whole recording"),
        (files.shots, "probabilities around single shots"),
        *([(files.losses, "loss of the MLP while it was trained")] if files.losses is not None else []),
        *((path, "results at every threshold") for path in files.sweeps),
        *((path, "report with all numbers") for path in files.reports),
    ]
    width = max(len(str(path)) for path, _ in listed)
    return ["Files", *(f"  {path!s:<{width}}  {text}" for path, text in listed)]
