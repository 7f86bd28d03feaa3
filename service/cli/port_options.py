"""Options of the commands that talk to a blaster, and the connection to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from service.round_trip.blaster_address import resolve_address
from service.round_trip.blaster_client import BlasterClient
from service.sources.port_opening import DEFAULT_BAUD

_Command = TypeVar("_Command", bound=Callable[..., Any])


def port_options(command: _Command) -> _Command:
    """Add ``--port`` and ``--baud`` to a command."""
    for decorate in (
        click.option(
            "--baud",
            type=click.IntRange(50, 12_000_000),
            default=DEFAULT_BAUD,
            show_default=True,
            help="Baud rate of a serial adapter; ignored by USB.",
        ),
        click.option(
            "--port",
            metavar="PORT",
            help="The blaster's port: /dev/ttyACM0, COM3 or tcp://host:port.  [default: the only blaster plugged in]",
        ),
    ):
        command = decorate(command)
    return command


def notify(line: str) -> None:
    """Print a line about the progress, to stderr."""
    click.echo(line, err=True)


@contextmanager
def connect(port: str | None, baud: int) -> Iterator[BlasterClient]:
    """Connect to the blaster at ``port`` (``None``: the only one plugged in) and synchronise with it."""
    address = resolve_address(port)
    if address.found:
        notify(f"found a blaster at {address}")
    with address.open(baud) as link:
        client = BlasterClient(link, notify=notify)
        client.synchronise()
        yield client
