"""``stinger watch``."""

from __future__ import annotations

import asyncio
import os

import click

from service.cli.run import on_signals, run_on_loop
from service.config.broker_address import parse_broker
from service.watch.subscriber import watch as watch_daemon
from stinger.cli.options import ANY_PATH
from stinger.device_name import parse_device_name


@click.command(short_help="Show live what a daemon says.")
@click.option("--broker", default="mqtt://localhost", show_default=True, metavar="URL", help="The daemon's broker.")
@click.option("--device", help="Only this device.  [default: all]")
@click.option("--password-file", type=ANY_PATH, help="File that holds the password at the broker.")
@click.option("--ca-file", type=ANY_PATH, help="Certificates that the broker's is checked against.")
def watch(broker: str, device: str | None, password_file: str | None, ca_file: str | None) -> None:
    """Show live what a daemon says: probability, wheels, shots with their lead, latency.

    On a terminal the picture is drawn anew; elsewhere each event is a line. Ctrl-C ends it.
    """
    only = None if device is None else parse_device_name(device)
    address = parse_broker(broker, password_file=password_file, ca_file=ca_file, environment=os.environ)

    async def whole() -> None:
        stop = asyncio.Event()
        on_signals(asyncio.get_running_loop(), stop.set, lambda: None)
        await watch_daemon(address, only, stop=stop)

    run_on_loop(whole())
