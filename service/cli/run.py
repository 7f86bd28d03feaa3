"""``stinger run``."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol

import click

from service.base.logs import set_up_logging
from service.cli.config_options import config_options, option_values
from service.cli.event_loop import on_signals, run_on_loop
from service.cli.retry_later import retry_later
from service.config.config import Config
from service.config.loading import load_config
from service.daemon.check import check as check_config
from service.daemon.daemon import Daemon
from service.ops.systemd import Notifier
from stinger.cli.options import ANY_PATH
from stinger.errors import StingerError

_GC_OBJECTS: Final = 20_000
"""Garbage is collected when there are so many new objects that may refer to others; Python's own number is 700."""


class OpenDaemon(Protocol):
    """Opens a daemon, as :meth:`Daemon.open` does."""

    def __call__(self, config: Config, *, notifier: Notifier) -> AbstractAsyncContextManager[Daemon]:
        """Return a context that opens and closes the daemon."""


@click.command(short_help="Run the daemon: samples in, shot events out.")
@config_options
@click.option(
    "--config", "config_file", type=ANY_PATH, metavar="FILE", help="TOML file with any of these settings, and more."
)
@click.option(
    "--check", is_flag=True, help="Only check the configuration, and that the files and ports that it names exist."
)
@click.option("--print-config", is_flag=True, help="Only print the effective configuration, without secrets.")
@click.pass_obj
def run(
    open_daemon: OpenDaemon | None,
    /,
    config_file: str | None,
    check: bool,
    print_config: bool,
    **options: Any,
) -> None:
    """Read samples from blasters or recordings, score every one, publish shots over MQTT, and record everything.

    \b
    stinger run --source serial://auto
    stinger run --source 'replay:session.bin?speed=1' --broker mqtt://localhost
    stinger run --source mqtt: --broker mqtt://hall.local --metrics-port 9100

    Every option can also be set in a TOML file or in the environment (docs/configuration.md). By default, the
    daemon starts a broker of its own that only this machine can reach, with a password in the data folder. Ctrl-C or
    SIGTERM ends the daemon; events that were not delivered yet are kept for its next start.
    """  # noqa: D301 - click needs the backspace itself

    def load() -> Config:
        return load_config(config_file, os.environ, option_values(options))

    config = load()
    if print_config:
        click.echo(config.to_toml(), nl=False)
        return
    if check:
        model = check_config(config)
        speed = "" if model.us_per_sample is None else f" ({model.us_per_sample:,.0f} µs to score a sample)"
        click.echo(f"The configuration is valid: model {model.version}{speed}.")
        return
    set_up_logging(config.log.level, config.log.format)
    with retry_later():
        # As the context's object, tests pass a function that opens a daemon with a fault.
        run_daemon(open_daemon or Daemon.open, config, load)


def run_daemon(open_daemon: OpenDaemon, config: Config, load: Callable[[], Config]) -> None:
    """Run the daemon that ``open_daemon`` opens until it ends or a signal ends it.

    At SIGHUP, reload its configuration.
    """

    async def run_daemon_on_loop(notifier: Notifier) -> None:
        stop = asyncio.Event()
        daemon: Daemon | None = None
        reload_at_start = False

        def reload() -> None:
            nonlocal reload_at_start
            if daemon is None:
                reload_at_start = True
                return
            notifier.reloading()
            try:
                daemon.reload(load())
            except StingerError as error:
                click.echo(f"Error: configuration not reloaded: {error}", err=True)
            notifier.ready()

        on_signals(asyncio.get_running_loop(), stop.set, reload)
        async with open_daemon(config, notifier=notifier) as opened:
            daemon = opened
            if reload_at_start:
                reload()
            await daemon.run(stop, ready=partial(_start_serving, daemon))

    # systemd's watchdog ends a process that hangs with SIGABRT: the log then has a traceback of each thread.
    faulthandler.enable()
    with closing(Notifier(os.environ)) as notifier:
        run_on_loop(run_daemon_on_loop(notifier))


def _start_serving(daemon: Daemon) -> None:
    """Print where the daemon can be reached, and exempt from garbage collection what has been loaded until now.

    A collection would otherwise visit all of it, 90 ms on a busy machine, just when many devices appear. What comes
    later is collected less often than by default: a hall of blasters makes hundreds of objects in each burst of messages.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_OBJECTS)
    _print_addresses(daemon)


def _print_addresses(daemon: Daemon) -> None:
    broker, login = daemon.broker, ""
    if broker.embedded:  # shown as mqtt://, an address that others can subscribe at
        login = f" (user {broker.user}, password {broker.password})" if broker.user else ""
        broker = replace(broker, embedded=False, user=None)
    click.echo(f"ready: broker {broker}{login}, model {daemon.model}", err=True)
    if daemon.metrics_url is not None:
        click.echo(f"metrics: {daemon.metrics_url}/metrics", err=True)
