"""``stinger convert``."""

from __future__ import annotations

import click

from stinger.cli.options import ANY_PATH, every_option, rate_option
from stinger.cli.repairs import warn_of_repairs
from stinger.logs import log_format_of, read_log, write_log
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
    """
    log_format_of(target)  # report a wrong suffix before a long read
    log = read_log(source, rate_hz=rate_hz, every=every)
    warn_of_repairs(log)
    write_log(target, log.samples)
    click.echo(f"{target}: {counted(log.samples.shape[0], 'sample')}")
