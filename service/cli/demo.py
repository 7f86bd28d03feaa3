"""``stinger demo``."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from typing import Final

import click

from service.base.logs import set_up_logging
from service.cli.event_loop import on_signals, run_on_loop
from service.config.broker_address import parse_broker_url
from service.config.config import BrokerConfig, Config
from service.config.source_url import parse_source_urls
from service.daemon.daemon import Daemon
from service.watch.subscriber import watch
from stinger.errors import InputError
from stinger.packages import python_module

_START_TIMEOUT_S: Final = 20.0
_STOP_TIMEOUT_S: Final = 2.0


@click.command(short_help="Show the daemon at work with an emulated blaster.")
@click.option(
    "--seconds", type=click.FloatRange(min=1), metavar="SECONDS", help="End after this time.  [default: at Ctrl-C]"
)
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Random seed of the synthetic session."
)
def demo(seconds: float | None, seed: int) -> None:
    """Show the daemon at work on this machine, with nothing else installed.

    An emulated blaster streams a synthetic session, the daemon scores it with the factory model and publishes to a broker
    of its own, and a subscriber shows what is published. Nothing is kept.
    """
    set_up_logging("error")
    with tempfile.TemporaryDirectory(prefix="stinger-demo-") as folder:
        run_on_loop(_show(Path(folder), seconds, seed))


async def _show(folder: Path, seconds: float | None, seed: int) -> None:
    stop = asyncio.Event()
    on_signals(asyncio.get_running_loop(), stop.set)
    with _emulated_blaster(seed) as process:
        address = await _address_of(process)
        config = Config(
            sources=parse_source_urls([f"tcp://{address}?device=demo"]),
            data_dir=folder,
            model="factory",
            scores=True,
            broker=BrokerConfig(url=parse_broker_url("embedded:0"), open=True),
        )
        daemon_stop = asyncio.Event()
        async with Daemon.open(config) as daemon, asyncio.TaskGroup() as tasks:
            tasks.create_task(daemon.run(daemon_stop), name="daemon")
            watching = tasks.create_task(watch(daemon.broker, None, stop=stop), name="watch")
            try:
                async with asyncio.timeout(seconds):
                    await stop.wait()
            except TimeoutError:
                stop.set()
            await watching
            daemon_stop.set()


@contextmanager
def _emulated_blaster(seed: int) -> Iterator[Popen[bytes]]:
    """Run an emulated blaster as a process of its own while the block runs."""
    command = python_module("stinger", "emulate", "--tcp", "127.0.0.1:0", "--seed", str(seed))
    # Not asyncio's processes: on Windows, the event loop that the MQTT library needs has none.
    with Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE) as process:  # noqa: S603 - our own command
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except TimeoutExpired:
                process.kill()


async def _address_of(process: Popen[bytes]) -> str:
    """Return the ``host:port`` where the emulated blaster listens."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            line = (await asyncio.to_thread(process.stdout.readline)).decode(errors="replace")
    except TimeoutError:
        line = ""
    found = re.search(r"(127\.0\.0\.1:\d+)", line)
    if found is None:
        problem = line or await asyncio.to_thread(_last_words, process)
        raise InputError(f"the emulated blaster did not start: {problem.strip() or 'no answer'}")
    return found[1]


def _last_words(process: Popen[bytes]) -> str:
    """End the process, and return what it wrote to its standard error."""
    process.kill()
    return process.communicate()[1].decode(errors="replace")
