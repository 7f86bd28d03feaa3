"""``stinger forget``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from service.cli.broker_options import broker_options
from service.cli.event_loop import run_on_loop
from service.cli.watch import watched_broker
from service.config.topic_root import TopicRoot
from service.mqtt.errors import MqttError
from service.mqtt.forgetting import Forgotten, forget
from stinger.device_name import DeviceName, parse_device_name
from stinger.errors import InputError, UnavailableError


@click.command("forget", short_help="Delete what a broker retains about devices.")
@click.argument("devices", nargs=-1, metavar="[DEVICE]...")
@click.option("--all", "every", is_flag=True, help="Forget all devices that no daemon serves.")
@broker_options
def forget_command(
    *,
    devices: tuple[str, ...],
    every: bool,
    broker: str,
    topic_root: TopicRoot,
    data_dir: Path | None,
    password_file: Path | None,
    ca_file: Path | None,
) -> None:
    """Delete what the broker retains about devices that are gone: states, and their announcement to Home Assistant.

    \b
    stinger forget b1 b2 --broker mqtt://hall.local
    stinger forget --all --topic-root old/root

    A device that a running daemon serves is left alone: remove its source first. With --all, the status of a daemon
    that is offline is deleted too, which cleans up after a changed --topic-root.
    """  # noqa: D301 - click needs the backspace itself
    if every == bool(devices):
        raise InputError("name the devices to forget, or give --all")
    names = None if every else [parse_device_name(device) for device in devices]
    address = watched_broker(broker, password_file, ca_file, os.environ, data_dir)

    async def forget_and_report() -> None:
        try:
            forgotten = await forget(address, topic_root, names)
        except MqttError as error:
            raise UnavailableError(f"{address}: {error}") from error
        _report(forgotten, names)

    run_on_loop(forget_and_report())


def _report(forgotten: Forgotten, names: list[DeviceName] | None) -> None:
    """Print what was forgotten and what not; raise :class:`InputError` if a device that was named is in use."""
    for device in forgotten.devices:
        click.echo(f"forgotten: {device}")
    if names is None and not forgotten.devices:
        click.echo("nothing to forget")
    for device in sorted(set(names or ()) - {*forgotten.devices, *forgotten.in_use}):
        click.echo(f"nothing retained about {device}")
    if names is not None and forgotten.in_use:
        raise InputError(f"{', '.join(forgotten.in_use)}: served by a daemon that is online; remove the source first")
    for device in forgotten.in_use:
        click.echo(f"left alone, served by a daemon that is online: {device}")
