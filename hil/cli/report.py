"""``stinger hil report``."""

from __future__ import annotations

import click

from hil.cli.outputs import Outputs, output_options, read_record
from stinger.cli.options import ANY_PATH


@click.command(short_help="Make reports of a run from its record.")
@click.argument("record", metavar="RECORD.json", type=ANY_PATH)
@output_options
def report(*, record: str, outputs: Outputs) -> None:
    """Show how a run of the bench came out, from the RECORD.json that 'stinger hil run' kept.

    The reports are the same that the run itself made. It ends with 0 whatever the verdict was: 'stinger hil run' is what
    fails.
    """
    outputs.write(read_record(record))
