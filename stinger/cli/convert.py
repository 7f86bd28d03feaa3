"""``stinger convert``."""

from __future__ import annotations

import click

from stinger.cli.options import ANY_PATH, every_option, rate_option
from stinger.cli.repairs import warn, warn_of_repairs
from stinger.errors import FileError
from stinger.files import os_errors
from stinger.logs import Log, log_format_of, read_log, write_log
from stinger.logs.marked import copy_marks, read_marks, sidecar_path, with_marks
from stinger.wording import counted


@click.command(short_help="Convert a recording between formats.")
@click.argument("source", metavar="IN", type=ANY_PATH)
@click.argument("target", metavar="OUT", type=ANY_PATH)
@rate_option
@every_option
def convert(source: str, target: str, rate_hz: float, every: int) -> None:
    """Convert the recording IN to OUT.

    IN is a .bin log, a .csv log or a capture CSV of older firmware; its content decides which, not its name.
    The suffix of OUT decides what is written: .bin for sample records, .csv for text.

    Neither format holds what 'stinger recordings mark' has marked in IN: a copy of the JSON file with the marks is
    written beside OUT. If that is not possible, a warning is printed.
    """
    log_format_of(target)  # report a wrong suffix before a long read
    log = read_log(source, rate_hz=rate_hz, every=every)
    marked, problem = _with_marks(log)
    warn_of_repairs(marked)
    write_log(target, log.samples)
    click.echo(f"{target}: {counted(log.samples.shape[0], 'sample')}")
    if problem:
        warn(f"marks are not carried over: {problem}")
    else:
        _carry_marks(marked, target)


def _with_marks(log: Log) -> tuple[Log, str]:
    """Return ``log`` with its marks; if they cannot be read, without, and why."""
    try:
        return with_marks(log), ""
    except FileError as error:
        return log, str(error)


def _carry_marks(log: Log, target: str) -> None:
    """Write the marks of ``log`` beside ``target``.

    Warn if that is not possible, and of marks there that are not of ``log``.
    """
    sidecar = sidecar_path(target)
    try:
        if any(log.marks):
            copy_marks(log, target)
            return
        with os_errors(sidecar):
            own = sidecar.exists() and not (
                sidecar_path(log.path).exists() and sidecar.samefile(sidecar_path(log.path))
            )
        if own and read_marks(sidecar):
            warn(f"{sidecar} has marks that {log.path} does not have: delete it if they are those of an earlier file")
    except FileError as error:
        warn(f"marks are not carried over: {error}")
