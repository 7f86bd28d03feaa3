"""The options that say which blaster, and how a client with it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from service.round_trip.blaster_address import BlasterAddress
from service.round_trip.blaster_client import BlasterClient
from service.sources.port_opening import DEFAULT_BAUD

_Command = TypeVar("_Command", bound=Callable[..., Any])


def port_options(command: _Command) -> _Command:
    """``--port`` and ``--baud``."""
    for decorate in (
        click.option(
            "--baud",
            type=click.IntRange(50, 12_000_000),
            default=DEFAULT_BAUD,
            show_default=True,
            help="Of a serial adapter; USB does not need it.",
        ),
        click.option(
            "--port",
            metavar="PORT",
            help="Where the blaster is: /dev/ttyACM0, COM3, tcp://host:port.  [default: the only one plugged in]",
        ),
    ):
        command = decorate(command)
    return command


def notify(line: str) -> None:
    """Tell the user a line about what is going on, on stderr."""
    click.echo(line, err=True)


@contextmanager
def connect(place: BlasterAddress, baud: int) -> Iterator[BlasterClient]:
    """A client with the blaster at ``place``, which has been greeted."""
    if place.found:
        notify(f"found a blaster at {place}")
    with place.open(baud) as link:
        client = BlasterClient(link, notify=notify)
        client.synchronise()
        yield client
