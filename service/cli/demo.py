"""``stinger demo``."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from typing import Final

import click

from models.synthetic import synthesise
from service.base.logs import set_up_logging
from service.cli.event_loop import on_signals, run_on_loop
from service.config.broker_address import LOOPBACK, parse_broker_url
from service.config.config import BrokerConfig, Config
from service.config.source_url import parse_source_urls
from service.daemon.daemon import Daemon
from service.watch.subscriber import watch
from stinger.errors import InputError, first_error
from stinger.logs import write_log
from stinger.packages import python_module

_START_TIMEOUT_S: Final = 240.0
_STOP_TIMEOUT_S: Final = 2.0
_DEVICE: Final = "demo"
_SEED: Final = 295
"""Its session has three shots in the first six seconds, so that a page that is opened at once shows one soon. The factory
model has learned neither from it nor from that of the log."""
_LOG_MINUTES: Final = 10.0
"""Length of the log of the second blaster: about as long as people are asked to play for their first own model."""
_LOG_SEED: Final = 301


@click.command(short_help="Show the daemon at work with an emulated blaster.")
@click.option(
    "--seconds", type=click.FloatRange(min=1), metavar="SECONDS", help="End after this time.  [default: at Ctrl-C]"
)
@click.option(
    "--seed", type=click.IntRange(0), default=_SEED, show_default=True, help="Random seed of the synthetic session."
)
def demo(seconds: float | None, seed: int) -> None:
    """Show the daemon at work on this machine, with nothing else installed.

    An emulated blaster streams a synthetic session, the daemon scores it with the factory model and publishes to a
    broker of its own, and a subscriber shows what is published; with the extra "web", a page in the browser shows it as
    well: the first line ends with its address. A second emulated blaster holds the log of ten minutes of play, to
    personalise it on the page or with the command shown. Nothing is kept.
    """
    set_up_logging("error")
    with tempfile.TemporaryDirectory(prefix="stinger-demo-") as folder:
        run_on_loop(_show_until_signal(Path(folder), seconds, seed))


async def _show_until_signal(folder: Path, seconds: float | None, seed: int) -> None:
    stop = asyncio.Event()
    on_signals(asyncio.get_running_loop(), stop.set)
    try:
        await _show(folder, seconds, seed, stop)
    except (InputError, BaseExceptionGroup) as failed:
        error = first_error(failed) if isinstance(failed, BaseExceptionGroup) else failed
        # Ctrl-C on a terminal ends the other processes as well: that they are gone is no error then.
        if not (isinstance(error, InputError) and stop.is_set()):
            raise error from failed


async def _show(folder: Path, seconds: float | None, seed: int, stop: asyncio.Event) -> None:
    log = folder / "log-of-the-second.bin"
    write_log(log, synthesise(minutes=_LOG_MINUTES, seed=_LOG_SEED))
    # With --wait the session begins when the daemon requests it. Nothing requests one of the second blaster.
    with _running(
        "emulate", "--tcp", f"{LOOPBACK}:0", "--count", "2", "--log", str(log), "--seed", str(seed), "--wait"
    ) as blasters:
        address = await _address_of(blasters, "the emulated blaster")
        spare = f"tcp://{await _address_of(blasters, 'the second emulated blaster')}"
        config = Config(
            sources=parse_source_urls([f"tcp://{address}?device={_DEVICE}"]),
            data_dir=folder,
            model="factory",
            scores=True,
            broker=BrokerConfig(url=parse_broker_url("embedded:0"), open=True),
        )
        daemon_stop = asyncio.Event()
        async with Daemon.open(config) as daemon, asyncio.TaskGroup() as tasks:
            # Before the page, which takes seconds to start: so there is something to see when it is opened.
            tasks.create_task(daemon.run(daemon_stop), name="daemon")
            async with _page(daemon.broker.port, folder, spare) as page:
                watching = tasks.create_task(
                    watch(daemon.broker, None, stop=stop, page=page, to_personalise=spare), name="watch"
                )
                try:
                    async with asyncio.timeout(seconds):
                        await stop.wait()
                except TimeoutError:
                    stop.set()
                await watching
            daemon_stop.set()


@asynccontextmanager
async def _page(broker_port: int, folder: Path, to_personalise: str) -> AsyncIterator[str]:
    """Serve the page as a process of its own while the block runs; yield its address, empty if it is not installed.

    ``to_personalise`` is the address of the blaster that it offers to personalise.
    """
    if find_spec("nicegui") is None or find_spec("argon2") is None:
        yield ""
        return
    broker = f"mqtt://{LOOPBACK}:{broker_port}"
    blaster = f"an emulated blaster={to_personalise}"
    with _running("web", "--broker", broker, "--data-dir", str(folder), "--port", "0", "--blaster", blaster) as process:
        yield f"http://{await _address_of(process, 'the page')}/device/{_DEVICE}"


@contextmanager
def _running(*arguments: str) -> Iterator[Popen[bytes]]:
    """Run ``stinger`` with ``arguments`` as a process of its own while the block runs."""
    command = python_module("stinger", *arguments)
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


async def _address_of(process: Popen[bytes], what: str) -> str:
    """Return the ``host:port`` where the process listens, from its next line. ``what`` names it in errors."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            line = (await asyncio.to_thread(process.stdout.readline)).decode(errors="replace")
    except TimeoutError:
        line = ""
    found = re.search(r"(127\.0\.0\.1:\d+)", line)
    if found is None:
        problem = line or await asyncio.to_thread(_last_words, process)
        raise InputError(f"{what} did not start: {problem.strip() or 'no answer'}")
    return found[1]


def _last_words(process: Popen[bytes]) -> str:
    """End the process, and return what it wrote to its standard error."""
    process.kill()
    return process.communicate()[1].decode(errors="replace")
