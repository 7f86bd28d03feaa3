"""``stinger hil run``."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hil.bench.broker import parse_broker
from hil.bench.device_under_test import parse_device
from hil.bench.run_options import RunOptions
from hil.bench.scenario import MAX_SECONDS, Scenario, find_scenario, shipped_scenarios
from hil.bench.suite import Done, run_suite
from hil.cli.outputs import Outputs, output_options
from hil.limits import Verdict
from hil.record import RunRecord, ScenarioRecord
from hil.report.formatting import VERDICT_WORDS
from stinger.cli.options import ANY_FOLDER, ANY_PATH, FiniteRange
from stinger.errors import InputError
from stinger.files import check_output, write_bytes

FAILED: Final = 1

_MAX_JOBS: Final = 64
_JOBS_PER_CORE: Final = 3
_SECONDS_PER_HOUR: Final = 3600.0


@click.command(short_help="Run scenarios, and give a verdict with numbers.")
@click.argument("names", metavar="[SCENARIO]...", nargs=-1)
@click.option(
    "--dut",
    default="emulated",
    show_default=True,
    help="The device under test: emulated, pty:PATH, tcp:HOST:PORT or serial:PORT.",
)
@click.option(
    "--broker",
    help="mosquitto (one of the bench's own), embedded, or mqtt://HOST:PORT.  [default: mosquitto, if installed]",
)
@click.option("--recording", type=ANY_PATH, help="What an emulated device plays.  [default: as each scenario says]")
@click.option("--seconds", type=FiniteRange(1, MAX_SECONDS), help="Let each scenario take so long.")
@click.option("--hours", type=FiniteRange(0, MAX_SECONDS / _SECONDS_PER_HOUR, min_open=True), help="The same in hours.")
@click.option("--seed", type=click.IntRange(0, 2**31), help="Of what chance does, instead of each scenario's own.")
@click.option(
    "--jobs",
    type=click.IntRange(1, _MAX_JOBS),
    help="Scenarios beside each other, where time is not measured.  [default: 3 a core]",
)
@click.option("--keep", type=ANY_FOLDER, help="Keep logs, journals and recordings here.")
@click.option("--json", type=ANY_PATH, help="Keep the record: all reports can be made of it again.")
@output_options
@click.option(
    "--daemon",
    metavar="COMMAND",
    help="Command that starts the daemon; it takes the options of stinger run.  [default: stinger run]",
)
def run(
    *,
    names: tuple[str, ...],
    dut: str,
    broker: str | None,
    recording: str | None,
    seconds: float | None,
    hours: float | None,
    seed: int | None,
    jobs: int | None,
    keep: Path | None,
    json: str | None,
    outputs: Outputs,
    daemon: str | None,
) -> None:
    """Run each SCENARIO against a daemon of its own, and say how it came through.

    \b
    stinger hil run                                  the default set, with an emulated blaster
    stinger hil run unplug reboot --html report.html
    stinger hil run desk --dut serial:/dev/ttyACM0   a blaster on the desk
    stinger hil run soak --hours 8

    A SCENARIO is one of those that 'stinger hil list' shows, or a TOML file of your own. Exit code 0: every limit was
    kept; 1: not, or nothing was tested.
    """  # noqa: D301 - click needs the backspace itself
    if seconds is not None and hours is not None:
        raise click.UsageError("--seconds and --hours are the same thing: give one of them")
    setup = RunOptions(
        dut=parse_device(dut),
        broker=parse_broker(broker),
        recording=recording,
        daemon_command=_words(daemon),
    )
    lasting_s = seconds if hours is None else hours * _SECONDS_PER_HOUR
    scenarios = _chosen(names, lasting_s, seed, any_device=not setup.dut.emulated)
    if json is not None:
        check_output(json)
    with _progress(len(scenarios)) as done:
        jobs = jobs or _JOBS_PER_CORE * (os.cpu_count() or 1)
        record = _to_the_end(run_suite(scenarios, setup, jobs=jobs, keep=keep, done=done))
    if json is not None:
        write_bytes(json, f"{record.to_json()}\n".encode())
    outputs.write(record)
    if not record.verdict.good or record.verdict is Verdict.SKIPPED:
        sys.exit(FAILED)


def _words(command: str | None) -> list[str] | None:
    """Return the words of ``command`` as a shell would split them."""
    if command is None:
        return None
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"--daemon {command!r}: {error}") from error
    if not words:
        raise InputError("--daemon: expected a command, such as 'stinger run'")
    return words


def _to_the_end(work: Coroutine[Any, Any, RunRecord]) -> RunRecord:
    """What ``work`` gives. Asked to end, as by Ctrl-C, it ends every process of its own, and :class:`click.Abort` is raised."""

    async def whole() -> RunRecord:
        task = asyncio.current_task()
        assert task is not None
        for name in ("SIGTERM", "SIGHUP"):
            with suppress(AttributeError, NotImplementedError):  # Windows
                asyncio.get_running_loop().add_signal_handler(getattr(signal, name), task.cancel)
        return await work

    try:
        return asyncio.run(whole())
    except asyncio.CancelledError:
        raise click.Abort from None


def _chosen(names: tuple[str, ...], seconds: float | None, seed: int | None, *, any_device: bool) -> list[Scenario]:
    """Those named; else the default set, or for a device that is there already those that any will do for."""
    if names:
        scenarios = list({name: find_scenario(name) for name in names}.values())
    else:
        shipped = shipped_scenarios().values()
        scenarios = [scenario for scenario in shipped if (scenario.any_device if any_device else scenario.default)]
    changed = [scenario if seconds is None else scenario.lasting(seconds) for scenario in scenarios]
    return changed if seed is None else [scenario.seeded(seed) for scenario in changed]


@contextmanager
def _progress(total: int) -> Iterator[Done]:
    """A bar on stderr where that is a terminal, and a line as each scenario ends."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("scenarios"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)

        def done(record: ScenarioRecord) -> None:
            console.print(f"{record.name}: {VERDICT_WORDS[record.verdict]}", soft_wrap=True)
            progress.advance(task)

        yield done
