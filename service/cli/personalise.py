"""``stinger personalise``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import click

from replay.evaluation.data import EvaluationData, evaluation_data
from service.cli.port_options import connect, notify, port_options
from service.cli.pull import describe, warnings_of
from service.round_trip.blaster_address import resolve_address
from service.round_trip.personal_files import LOG_FILE, PersonalFiles, pictures_of, write_personal
from service.round_trip.personal_report import MENU_NAMES, result_lines, verdict_lines
from service.round_trip.personalising import NotYetError, PersonalModel, cut_log, fits, personalise
from service.round_trip.pulling import PulledLog, pull_log
from service.round_trip.pushing import push_models, read_upload
from stinger.cli.progress import progress_bar
from stinger.errors import DeviceError, FileError, StingerError
from stinger.files import check_output, make_folder, write_bytes

_EMPTY: Final = {"no log data", "no log file"}


@click.command("personalise", short_help="Fetch a log, train on it, upload the models.")
@port_options
@click.option(
    "--outdir",
    type=click.Path(path_type=Path),
    help="A new folder for the log, the models and the pictures.  [default: ml_out/personal/ and the time]",
)
@click.option("--yes", is_flag=True, help="Do not ask before the models go to the blaster, for scripts.")
def personalise_command(port: str | None, baud: int, outdir: Path | None, yes: bool) -> None:
    """Make models of your own for your blaster, from what it has recorded of you.

    Switch the recording on in the blaster's menu and play for ten minutes: carry, aim and wait as well as shoot. Leave
    the blaster switched on, plug it in, and run this. It fetches the log, trains the two kinds of model that the blaster
    can have, shows how good they are, and asks before it changes anything on the blaster.
    """
    folder = outdir or Path("ml_out", "personal", f"{datetime.now().astimezone():%Y-%m-%d_%H%M%S}")
    if (folder / LOG_FILE).exists():
        raise FileError(folder, f"holds a {LOG_FILE} already: choose another --outdir")
    try:
        data = _fetch(port, baud, folder)
        by, folds = cut_log(data)
        with progress_bar("Training and testing", fits(folds)) as progress:
            models = personalise(data, by, folds, progress=progress)
    except NotYetError as not_yet:
        click.echo(f"Not yet: {not_yet}")
        if not_yet.reason:
            notify(f"The exact reason: {not_yet.reason}")
        return
    with progress_bar("Drawing", pictures_of(models)) as progress:
        files = write_personal(folder, models, progress=progress)
    click.echo("\n".join(["", *result_lines(models), "", *_pictures(files), "", *verdict_lines(models), ""]))
    chosen = [(model, path) for model, path in zip(models, files.blaster_files, strict=True) if model.beats_chance]
    if not chosen:
        click.echo("Not yet: no model is worth having so far, and the blaster was left as it is. Record on.")
    elif yes or _agreed(chosen):
        _push(port, baud, chosen)
    else:
        click.echo(f"The blaster was left as it is. Whenever you like: {_by_hand(chosen)}")


def someone_to_ask() -> bool:
    """Whether somebody sits at the terminal."""
    return sys.stdin.isatty()


def _fetch(port: str | None, baud: int, folder: Path) -> EvaluationData:
    """The log, written into ``folder``. Raises :class:`NotYetError` if there is none."""
    with _new_folder(folder):
        check_output(folder / LOG_FILE)
        try:
            with connect(resolve_address(port), baud) as client:
                pulled = pull_log(client, folder / LOG_FILE, transfer=partial(progress_bar, "Fetching the log"))
        except DeviceError as refused:
            if refused.reason in _EMPTY:
                raise NotYetError(str(refused)) from refused
            raise
        write_bytes(folder / LOG_FILE, pulled.data)
    for line in warnings_of(pulled, folder / LOG_FILE):
        notify(f"Warning: {line}")
    click.echo(f"{folder / LOG_FILE}: {describe(pulled)}")
    return _evaluable(pulled, folder)


def _evaluable(pulled: PulledLog, folder: Path) -> EvaluationData:
    if pulled.log is None:
        raise FileError(folder / LOG_FILE, f"nothing can be learnt from a damaged log ({pulled.damage})")
    return evaluation_data([pulled.log], warn=lambda line: notify(f"Warning: {line}"))


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Make ``folder`` and those above it; if the block fails, what was made and is empty goes again."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    make_folder(folder)
    try:
        yield
    except BaseException:
        for path in missing:
            with suppress(OSError):
                path.rmdir()
        raise


def _agreed(chosen: Sequence[tuple[PersonalModel, Path]]) -> bool:
    names = " and ".join(MENU_NAMES[model.slot] for model, _ in chosen)
    if not someone_to_ask():
        notify("Nobody is there to be asked: give --yes to have the models brought to the blaster.")
        return False
    return click.confirm(f"Bring {names} to the blaster now? What was uploaded before is replaced.", default=False)


def _push(port: str | None, baud: int, chosen: Sequence[tuple[PersonalModel, Path]]) -> None:
    uploads = [read_upload(path, model.slot) for model, path in chosen]
    try:
        with connect(resolve_address(port), baud) as client:
            push_models(client, uploads, load=True)
    except StingerError:
        notify(f"The models are kept. To try again: {_by_hand(chosen)}")
        raise
    names = " or ".join(f"ML:{MENU_NAMES[model.slot]}" for model, _ in chosen)
    click.echo(f"Done. Unplug the blaster and choose {names} in its menu, under Motor, Idling.")


def _by_hand(chosen: Sequence[tuple[PersonalModel, Path]]) -> str:
    """The command that uploads ``chosen``."""
    return " ".join(["stinger push", *(f"--{MENU_NAMES[model.slot].lower()} {path}" for model, path in chosen)])


def _pictures(files: PersonalFiles) -> list[str]:
    shown = [
        (files.overview, "what the models say over the whole recording"),
        (files.shots, "the same around single shots"),
        *((path, "every threshold") for path in files.sweeps),
        *((path, "all the numbers") for path in files.reports),
    ]
    width = max(len(str(path)) for path, _ in shown)
    return ["Look at", *(f"  {path!s:<{width}}  {text}" for path, text in shown)]
