"""What every command that reads a recording says of what it had to repair."""

from __future__ import annotations

import click

from stinger.logs import Log


def warn_of_repairs(log: Log) -> None:
    """Say what had to be repaired to read ``log``, a line each."""
    for message in log.repairs.messages():
        click.echo(f"Warning: {log.path}: {message}", err=True)
