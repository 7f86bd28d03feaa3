"""Warnings about repairs, the same for every command that reads a recording."""

from __future__ import annotations

import click

from stinger.logs import Log


def warn(line: str) -> None:
    """Print ``line`` as a warning."""
    click.echo(f"Warning: {line}", err=True)


def warn_of_repairs(log: Log) -> None:
    """Print a warning for each kind of repair that was needed to read ``log``.

    A line for each recording with marks follows.
    """
    for message in log.repairs.messages():
        warn(f"{log.path}: {message}")
    for message in log.marked_texts():
        click.echo(f"{log.path}: {message}", err=True)
