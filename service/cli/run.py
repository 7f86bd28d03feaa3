"""``stinger run``."""

from __future__ import annotations

import asyncio
import faulthandler
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import click

from service.base.logs import set_up_logging
from service.cli.config_options import config_options, option_values
from service.cli.event_loop import on_signals, run_on_loop
from service.config.config import Config
from service.config.loading import load_config
from service.daemon.check import check as check_config
from service.daemon.daemon import Daemon, Running
from service.ops.systemd import Notifier
from stinger.cli.options import ANY_PATH
from stinger.errors import StingerError


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
    make_daemon: Callable[[Config], Daemon] | None,
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
    daemon starts a broker of its own that only this machine can reach. Ctrl-C or SIGTERM ends the daemon; events that
    were not delivered yet are kept for its next start.
    """  # noqa: D301 - click needs the backspace itself

    def load() -> Config:
        return load_config(config_file, os.environ, option_values(options))

    config = load()
    if print_config:
        click.echo(config.to_toml(), nl=False)
        return
    if check:
        check_config(config)
        click.echo("The configuration is valid.")
        return
    set_up_logging(config.log.level, config.log.format)
    # Tests pass a maker of daemons with faults as the context's object.
    run_daemon(make_daemon or Daemon, config, load)


def run_daemon(make: Callable[[Config], Daemon], config: Config, load: Callable[[], Config]) -> None:
    """Run the daemon that ``make`` builds until it ends or a signal ends it; SIGHUP makes it ``load`` its configuration again."""

    async def run_daemon_on_loop(notifier: Notifier) -> None:
        daemon = make(config)
        loop = asyncio.get_running_loop()

        def reload() -> None:
            notifier.reloading()
            try:
                daemon.reload(load())
            except StingerError as error:
                click.echo(f"Error: configuration not reloaded: {error}", err=True)
            notifier.ready()

        on_signals(loop, daemon.stop, reload)
        await daemon.run(ready=_print_addresses, notifier=notifier)

    # systemd's watchdog ends a process that hangs with SIGABRT: the log then has a traceback of each thread.
    faulthandler.enable()
    with closing(Notifier(os.environ)) as notifier:
        run_on_loop(run_daemon_on_loop(notifier))


def _print_addresses(running: Running) -> None:
    broker = replace(running.broker, embedded=False)  # shown as mqtt://, an address that others can subscribe at
    click.echo(f"ready: broker {broker}, model {running.model}", err=True)
    if running.metrics_url is not None:
        click.echo(f"metrics: {running.metrics_url}/metrics", err=True)
