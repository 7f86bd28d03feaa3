"""``stinger hil report``."""

from __future__ import annotations

import click

from hil.cli.outputs import Outputs, output_options, read_record
from stinger.cli.options import ANY_PATH


@click.command(short_help="Make reports from the record of a run.")
@click.argument("record", metavar="RECORD.json", type=ANY_PATH)
@output_options
def report(*, record: str, outputs: Outputs) -> None:
    """Print the report of a run, and write report files, from the record that 'stinger hil run --json' wrote.

    The reports are the same as those of the run itself. The exit code is 0 whatever the verdict; only 'stinger hil run'
    fails with it.
    """
    outputs.write(read_record(record))
