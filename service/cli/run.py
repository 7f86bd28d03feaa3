"""``stinger run``."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import replace
from typing import Any

import click

from service.base.logs import set_up_logging
from service.cli.config_options import config_options, option_values
from service.config.config import Config
from service.config.loading import load_config
from service.daemon.check import check as check_config
from service.daemon.daemon import Daemon, Running
from service.ops.systemd import Notifier
from service.sources.mqtt_source import MqttSource
from service.sources.urls import DeviceSource, parse_sources
from stinger.cli.options import ANY_PATH
from stinger.errors import StingerError


@click.command(short_help="Run the daemon: samples in, shot events out.")
@config_options
@click.option("--config", "config_file", type=ANY_PATH, metavar="FILE", help="A TOML file with any of these, and more.")
@click.option("--check", is_flag=True, help="Only say whether the configuration is valid, and what it names is there.")
@click.option("--print-config", is_flag=True, help="Only print the effective configuration.")
@click.pass_obj
def run(
    make_daemon: Callable[[Config], Daemon] | None,
    /,
    config_file: str | None,
    check: bool,
    print_config: bool,
    **options: Any,
) -> None:
    """Take samples from blasters or recordings, score every one, publish shots over MQTT, and record everything.

    \b
    stinger run --source serial://auto
    stinger run --source 'replay:session.bin?speed=1' --broker mqtt://localhost
    stinger run --source mqtt: --broker mqtt://hall.local --metrics-port 9100

    Every option can stand in a TOML file, or in the environment (docs/configuration.md). Without --broker, a broker runs
    inside the daemon, on this machine only. Ctrl-C or SIGTERM ends it; events that were not delivered are kept.
    """  # noqa: D301 - click needs the backspace itself

    def load() -> Config:
        config = load_config(config_file, os.environ, option_values(options))
        _sources(config)
        return config

    config = load()
    if print_config:
        click.echo(config.to_toml(), nl=False)
        return
    if check:
        check_config(config, _sources(config))
        click.echo("The configuration is valid.")
        return
    set_up_logging(config.log.level, config.log.format)
    # Tests pass a maker of daemons with faults as the context's object.
    run_daemon(make_daemon or Daemon, config, load)


def run_daemon(make: Callable[[Config], Daemon], config: Config, load: Callable[[], Config]) -> None:
    """Run a daemon until it ends or a signal ends it; SIGHUP has it ``load`` its configuration again."""

    async def whole(notifier: Notifier) -> None:
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
        await daemon.run(ready=_say_where, notifier=notifier)

    # A watchdog ends a process that hangs with SIGABRT: then its log says where each thread was.
    faulthandler.enable()
    with closing(Notifier(os.environ)) as notifier:
        run_on_loop(whole(notifier))


def run_on_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` on a loop that the MQTT library can use: on Windows that is not the usual one."""
    factory = asyncio.SelectorEventLoop if sys.platform == "win32" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work)


def on_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """Have Ctrl-C and SIGTERM call ``stop``, and SIGHUP, where there is one, ``reload``."""
    wanted = {signal.SIGINT: stop, signal.SIGTERM: stop}
    if sys.platform == "win32":
        for number, handler in wanted.items():
            signal.signal(number, lambda *_, handler=handler: loop.call_soon_threadsafe(handler))
        return
    wanted[signal.SIGHUP] = reload
    for number, handler in wanted.items():
        loop.add_signal_handler(number, handler)


def _say_where(running: Running) -> None:
    broker = replace(running.broker, embedded=False)  # an address that others can subscribe at
    click.echo(f"ready: broker {broker}, model {running.model}", err=True)
    if running.metrics_url is not None:
        click.echo(f"metrics: {running.metrics_url}/metrics", err=True)


def _sources(config: Config) -> list[DeviceSource | MqttSource]:
    """Only to be looked at."""
    return parse_sources(config.sources, _no_subscription)


def _no_subscription() -> Any:
    raise AssertionError("only to look at sources")
