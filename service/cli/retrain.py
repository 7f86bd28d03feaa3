"""``stinger retrain``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, Final

import click

from models.task_runner import TaskRunner
from models.workers import DASK, LOCAL, Workers
from service.cli.config_options import option_values, retraining_options
from service.config.config import Config
from service.config.loading import load_config
from service.config.retraining import REPLACED_KEYS
from service.retraining.attempt import retrain
from service.retraining.repeating import repeat_forever, sigterm_as_interrupt
from service.retraining.result import Outcome, RetrainingResult
from stinger.cli.options import ANY_PATH, json_option
from stinger.cli.progress import progress_bar
from stinger.errors import InputError, StingerError
from stinger.quantities import parse_duration

_EXIT_INTERRUPTED: Final = 130
"""Exit code of a command that Ctrl-C ended, as shells report it."""
_MIN_INTERVAL_S: Final = 1.0
_MAX_INTERVAL_S: Final = 366 * 86_400.0


class _Interval(click.ParamType[float]):
    """A duration such as ``6h``, in seconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            interval_s = parse_duration(str(value)).seconds
        except InputError as error:
            self.fail(str(error), param, ctx)
        if not _MIN_INTERVAL_S <= interval_s <= _MAX_INTERVAL_S:
            self.fail(f"expected 1s to {_MAX_INTERVAL_S / 86_400:g}d, not {value!r:.60}", param, ctx)
        return interval_s


def _refuse_replaced(_: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise InputError(f"{option.opts[0]} is no longer used: {REPLACED_KEYS[str(option.name)]}")


def _replaced_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add options of earlier versions, which end the command with a line about what to use instead."""
    for name in REPLACED_KEYS:
        flag = f"--{name.replace('_', '-')}"
        command = click.option(flag, name, hidden=True, expose_value=False, callback=_refuse_replaced)(command)
    return command


@click.command("retrain", short_help="Train better models on the daemon's recordings.")
@click.argument("logs", metavar="[LOG ...]", nargs=-1, type=ANY_PATH)
@retraining_options
@_replaced_options
@click.option(
    "--config", "config_file", type=ANY_PATH, metavar="FILE", help="The daemon's TOML file, with more settings."
)
@click.option(
    "--every", "interval_s", type=_Interval(), help="Repeat at this interval, such as 30m or 6h.  [default: run once]"
)
@click.option(
    "--jobs", type=click.IntRange(0), default=0, help="Processes that train at a time.  [default: 0, one for each core]"
)
@click.option("--dask", "scheduler", metavar="ADDRESS", help="Train on a Dask cluster, such as tcp://10.0.0.5:8786.")
@json_option
def retrain_command(
    *,
    logs: tuple[str, ...],
    config_file: str | None,
    interval_s: float | None,
    jobs: int,
    scheduler: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train models on the daemon's recordings (and on each LOG), and promote the best one if it is clearly better.

    Champion and challengers are compared by cost, on recordings that none of them was trained on. A running daemon
    switches to a new champion at once; 'stinger models rollback' switches back. The report is written to
    FOLDER/reports.

    \b
    stinger retrain --data-dir data
    stinger retrain --data-dir data --every 6h
    stinger retrain --data-dir data --candidate mlp:rich --min-shots 50 pulled.bin

    Every option can also be set in the daemon's TOML file, below [retrain], or in the environment (docs/retraining.md).
    """  # noqa: D301 - click needs the backspace itself
    runner = TaskRunner(Workers(jobs, LOCAL if scheduler is None else DASK, scheduler), progress_bar)

    def load() -> Config:
        return load_config(config_file, os.environ, option_values(options))

    def run_once() -> None:
        _print(retrain(load(), logs, runner), indent=None if interval_s else 2, as_json=as_json)

    def run_and_report_errors() -> None:
        try:
            run_once()
        except StingerError as error:  # such as a full disk or another retraining: may be over the next time
            click.echo(f"Error: {error}", err=True)

    load()  # a mistake in the configuration ends the command, instead of being repeated at every interval
    with sigterm_as_interrupt():
        try:
            if interval_s is None:
                run_once()
            else:
                repeat_forever(interval_s, run_and_report_errors)
        except KeyboardInterrupt:
            if interval_s is None:
                click.echo("Interrupted: no incomplete model or report is left.", err=True)
                raise click.exceptions.Exit(_EXIT_INTERRUPTED) from None


def _print(result: RetrainingResult, *, indent: int | None, as_json: bool) -> None:
    if as_json:
        from service.retraining.report_values import report_values

        values = {**report_values(result), "folder": None if result.folder is None else str(result.folder)}
        click.echo(json.dumps(values, indent=indent))
        return
    for warning in result.all_warnings:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(f"{result.outcome.value}: {' '.join(result.why)}")
    if result.outcome is Outcome.PROMOTED:
        click.echo(f"The champion is now {result.version}.")
    if result.folder is not None:
        click.echo(f"report: {result.folder / 'retraining.md'}")
