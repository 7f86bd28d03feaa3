"""``stinger retrain``."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Final

import click

from models.task_runner import TaskRunner
from models.workers import LOCAL, Workers
from service.cli.config_options import option_values, retraining_options
from service.config.config import Config
from service.config.loading import load_config
from service.retraining.attempt import retrain
from service.retraining.result import Outcome, Retraining
from service.retraining.rounds import ended_by_signals, rounds
from stinger.cli.options import ANY_PATH, json_option
from stinger.cli.progress import progress_bar
from stinger.errors import StingerError

_EXIT_INTERRUPTED: Final = 130
"""What a shell reports for a command that Ctrl-C ended."""
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SHORTEST_S: Final = 1.0
_LONGEST_S: Final = 366 * 86_400.0


class _Span(click.ParamType[float]):
    """A time such as ``6h``, in seconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", str(value).strip())
        seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
        if not _SHORTEST_S <= seconds <= _LONGEST_S:
            self.fail(f"'{value}' is no time: expected a number and s, m, h or d, such as 6h, up to a year", param, ctx)
        return seconds


@click.command("retrain", short_help="Make a better model of what was recorded.")
@click.argument("logs", metavar="[LOG ...]", nargs=-1, type=ANY_PATH)
@retraining_options
@click.option("--config", "config_file", type=ANY_PATH, metavar="FILE", help="The daemon's TOML file; more keys in it.")
@click.option("--every", "every_s", type=_Span(), help="Again and again, so far apart: 30m, 6h, 1d.  [default: once]")
@click.option(
    "--jobs", type=click.IntRange(0), default=0, help="Fits at a time.  [default: 0, as many as there are cores]"
)
@click.option("--dask", "scheduler", metavar="ADDRESS", help="Let a Dask cluster do it, such as tcp://10.0.0.5:8786.")
@json_option
def retrain_command(
    *,
    logs: tuple[str, ...],
    config_file: str | None,
    every_s: float | None,
    jobs: int,
    scheduler: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train models on what the daemon recorded (and on each LOG), and promote the best if it beats the champion.

    Champion and challengers are compared on recordings that none of them was trained on. A running daemon takes a new
    champion at once; 'stinger models rollback' goes back. The report is in FOLDER/reports.

    \b
    stinger retrain --data-dir data
    stinger retrain --data-dir data --every 6h
    stinger retrain --data-dir data --candidate mlp:rich --min-shots 50 pulled.bin

    Every option can stand in the daemon's TOML file, below [retrain], or in the environment (docs/retraining.md).
    """  # noqa: D301 - click needs the backspace itself
    runner = TaskRunner(Workers(jobs, LOCAL if scheduler is None else "dask", scheduler), progress_bar)

    def load() -> Config:
        return load_config(config_file, os.environ, option_values(options))

    def once() -> None:
        _tell(retrain(load(), logs, runner), indent=None if every_s else 2, as_json=as_json)

    def in_a_round() -> None:
        try:
            once()
        except StingerError as error:  # may be gone the next time: a full disk, another retraining
            click.echo(f"Error: {error}", err=True)

    load()  # a mistake in the configuration is not to be repeated for ever
    with ended_by_signals():
        try:
            if every_s is None:
                once()
            else:
                rounds(every_s, in_a_round)
        except KeyboardInterrupt:
            if every_s is None:
                click.echo("Interrupted: nothing half-made is left.", err=True)
                raise click.exceptions.Exit(_EXIT_INTERRUPTED) from None


def _tell(retraining: Retraining, *, indent: int | None, as_json: bool) -> None:
    if as_json:
        from service.retraining.report import report_values  # noqa: PLC0415 - loads what measures

        values = {**report_values(retraining), "folder": None if retraining.folder is None else str(retraining.folder)}
        click.echo(json.dumps(values, indent=indent))
        return
    for remark in (*retraining.gathered.remarks, *retraining.remarks):
        click.echo(f"Note: {remark}", err=True)
    click.echo(f"{retraining.outcome.value}: {' '.join(retraining.why)}")
    if retraining.outcome is Outcome.PROMOTED:
        click.echo(f"The champion is now {retraining.version}.")
    if retraining.folder is not None:
        click.echo(f"report: {retraining.folder / 'retraining.md'}")
