"""``stinger hil``: the test bench."""

from __future__ import annotations

from typing import Final

import click

from stinger.cli.group import LazyGroup

COMMANDS: Final = {
    "list": ("hil.cli.list:list_scenarios", "List the scenarios that come with the program."),
    "run": ("hil.cli.run:run", "Run scenarios, and report measurements and verdicts."),
    "report": ("hil.cli.report:report", "Make reports from the record of a run."),
}
"""The module and object of each subcommand, and the help line that is shown without importing it."""


@click.group(cls=LazyGroup, lazy=COMMANDS, short_help="Test the daemon on a bench, with emulated or real blasters.")
def hil() -> None:
    """Test the daemon on a bench (hardware in the loop), with emulated or real blasters."""
