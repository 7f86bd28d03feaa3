"""``stinger hil``: the bench."""

from __future__ import annotations

from typing import Final

import click

from stinger.cli.group import LazyGroup

COMMANDS: Final = {
    "list": ("hil.cli.list:list_scenarios", "List the scenarios that come with the program."),
    "run": ("hil.cli.run:run", "Run scenarios, and give a verdict with numbers."),
    "report": ("hil.cli.report:report", "Make reports of a run from its record."),
}
"""Where each subcommand is, and the help line shown for it without importing it."""


@click.group(cls=LazyGroup, lazy=COMMANDS, short_help="Test the daemon on a bench, against blasters emulated or real.")
def hil() -> None:
    """Test the daemon on a bench, against blasters that are emulated or real."""
