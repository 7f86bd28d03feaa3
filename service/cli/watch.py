"""``stinger watch``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import click

from service.cli.event_loop import on_signals, run_on_loop
from service.config.broker_address import PASSWORD_VARIABLE, BrokerAddress, parse_broker_url
from service.config.config import BrokerConfig
from service.watch.subscriber import watch as watch_daemon
from stinger.cli.options import ANY_FOLDER
from stinger.device_name import parse_device_name
from stinger.errors import InputError


@click.command(short_help="Show live what a daemon publishes.")
@click.option("--broker", default="mqtt://localhost", show_default=True, metavar="URL", help="The daemon's broker.")
@click.option("--device", metavar="NAME", help="Show only this device.  [default: all]")
@click.option(
    "--password-file", type=ANY_FOLDER, metavar="FILE", help="File whose first line is the password for the broker."
)
@click.option(
    "--ca-file",
    type=ANY_FOLDER,
    metavar="FILE",
    help="Certificates that the broker's certificate is checked against.  [default: the system's]",
)
def watch(broker: str, device: str | None, password_file: Path | None, ca_file: Path | None) -> None:
    """Show live what a daemon publishes: probability, wheels, shots with their lead, latency.

    On a terminal this is a table that is redrawn; elsewhere each event is a line. Ctrl-C ends it. The user name is given
    in the URL (mqtt://user@host), the password in a file or in STINGER_BROKER_PASSWORD.
    """
    only = None if device is None else parse_device_name(device)
    address = watched_broker(broker, password_file, ca_file, os.environ)

    async def watch_until_signal() -> None:
        stop = asyncio.Event()
        on_signals(asyncio.get_running_loop(), stop.set)
        await watch_daemon(address, only, stop=stop)

    run_on_loop(watch_until_signal())


def watched_broker(
    broker: str, password_file: Path | None, ca_file: Path | None, environ: Mapping[str, str]
) -> BrokerAddress:
    """Return the broker of the options. ``password_file``, an option, takes precedence over a password in ``environ``.

    Raises :class:`InputError` for options that cannot be used, and for files that cannot be read.
    """
    try:
        url = parse_broker_url(broker)
    except InputError as error:
        raise InputError(f"--broker: {error}") from None
    password = None if password_file else environ.get(PASSWORD_VARIABLE) or None
    return BrokerConfig(url=url, password=password, password_file=password_file, ca_file=ca_file).address()
