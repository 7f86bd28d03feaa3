"""``stinger watch``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from service.cli.broker_options import broker_options
from service.cli.event_loop import on_signals, run_on_loop
from service.config.broker_account import local_account
from service.config.broker_address import LOOPBACK, PASSWORD_VARIABLE, BrokerAddress, parse_broker_url
from service.config.config import BrokerConfig
from service.config.topic_root import TopicRoot
from service.watch.subscriber import watch as watch_daemon
from stinger.device_name import parse_device_name
from stinger.errors import InputError
from stinger.paths import data_dir as data_folder

_THIS_MACHINE: Final = ("localhost", LOOPBACK, "::1")
DATA_DIR_VARIABLE: Final = "STINGER_DATA_DIR"
"""The environment variable with which the daemon's data folder is set."""


@click.command(short_help="Show live what a daemon publishes.")
@click.option("--device", metavar="NAME", help="Show only this device.  [default: all]")
@broker_options
def watch(
    *,
    broker: str,
    topic_root: TopicRoot,
    data_dir: Path | None,
    device: str | None,
    password_file: Path | None,
    ca_file: Path | None,
) -> None:
    """Show live what a daemon publishes: probability, wheels, shots with their lead, latency.

    On a terminal this is a table that is redrawn; elsewhere each event is a line. Ctrl-C ends it. The user name is
    given in the URL (mqtt://user@host), the password in a file or in STINGER_BROKER_PASSWORD. Those of an embedded
    broker on this machine are read from the daemon's data folder.
    """
    only = None if device is None else parse_device_name(device)
    address = watched_broker(broker, password_file, ca_file, os.environ, data_dir)

    async def watch_until_signal() -> None:
        stop = asyncio.Event()
        on_signals(asyncio.get_running_loop(), stop.set)
        await watch_daemon(address, only, stop=stop, root=topic_root)

    run_on_loop(watch_until_signal())


def watched_broker(
    broker: str,
    password_file: Path | None,
    ca_file: Path | None,
    environ: Mapping[str, str],
    chosen_data_dir: Path | None = None,
) -> BrokerAddress:
    """Return the broker of the options.

    ``password_file``, an option, takes precedence over a password in ``environ``. Without a user, the account of the
    embedded broker in the data folder is used, if it is for this port of this machine. Raises :class:`InputError` for
    options that cannot be used, and for files that cannot be read.
    """
    try:
        url = parse_broker_url(broker)
    except InputError as error:
        raise InputError(f"--broker: {error}") from None
    password = None if password_file else environ.get(PASSWORD_VARIABLE) or None
    if url.user is None and url.scheme == "mqtt" and url.host in _THIS_MACHINE and password_file is None:
        account = local_account(data_folder(chosen_data_dir or environ.get(DATA_DIR_VARIABLE) or None), url.port)
        if account is not None:
            return BrokerAddress(LOOPBACK, url.port, account.user, account.password, embedded=True)
    return BrokerConfig(url=url, password=password, password_file=password_file, ca_file=ca_file).address()
