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
from hil.bench.suite import OnDone, run_suite
from hil.cli.outputs import Outputs, output_options
from hil.limits import Verdict
from hil.record import RunRecord, ScenarioRecord
from hil.report.formatting import VERDICT_WORDS
from stinger.cli.options import ANY_FOLDER, ANY_PATH, FiniteRange
from stinger.cli.progress import reported_progress
from stinger.cli.streams import unguarded
from stinger.errors import InputError
from stinger.files import check_output, write_bytes
from stinger.wording import printable

EXIT_FAILED: Final = 1

_MAX_JOBS: Final = 64
_JOBS_PER_CORE: Final = 3
_SECONDS_PER_HOUR: Final = 3600.0


@click.command(short_help="Run scenarios, and report measurements and verdicts.")
@click.argument("names", metavar="[SCENARIO]...", nargs=-1)
@click.option(
    "--dut",
    default="emulated",
    show_default=True,
    help="The device under test: emulated, qemu (ARM code in QEMU), pty:PATH, tcp:HOST:PORT or serial:PORT.",
)
@click.option(
    "--broker",
    help="The MQTT broker: mosquitto (started by the bench), embedded (in the daemon), or mqtt://HOST:PORT.  "
    "[default: mosquitto, if installed]",
)
@click.option(
    "--daemon",
    metavar="COMMAND",
    help="Command that starts the daemon; it must take the options of stinger run.  [default: stinger run]",
)
@click.option(
    "--recording", type=ANY_PATH, help="Recording that the emulated device plays.  [default: set by each scenario]"
)
@click.option("--seconds", type=FiniteRange(1, MAX_SECONDS), help="Duration of each scenario.")
@click.option(
    "--hours",
    type=FiniteRange(0, MAX_SECONDS / _SECONDS_PER_HOUR, min_open=True),
    help="Duration of each scenario, in hours.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31),
    help="Random seed for faults and synthetic sessions.  [default: set by each scenario]",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, _MAX_JOBS),
    help="Number of scenarios to run at the same time; those that measure times run alone.  [default: 3 per core]",
)
@click.option("--keep", type=ANY_FOLDER, help="Keep the logs, journals and recordings of each scenario in this folder.")
@click.option("--json", type=ANY_PATH, help="Write the record, from which 'stinger hil report' makes all reports.")
@output_options
def run(
    *,
    names: tuple[str, ...],
    dut: str,
    broker: str | None,
    daemon: str | None,
    recording: str | None,
    seconds: float | None,
    hours: float | None,
    seed: int | None,
    jobs: int | None,
    keep: Path | None,
    json: str | None,
    outputs: Outputs,
) -> None:
    """Run each SCENARIO against a daemon of its own, and report measurements and verdicts.

    \b
    stinger hil run                                  the default set, with an emulated blaster
    stinger hil run unplug reboot --html report.html
    stinger hil run desk --dut serial:/dev/ttyACM0   a real blaster on the desk
    stinger hil run soak --hours 8

    A SCENARIO is one that 'stinger hil list' shows, or a TOML file of your own. Exit code 0: every limit was kept;
    1: a limit was missed, or nothing was tested; 2: an option or file was unusable.
    """  # noqa: D301 - click needs the backspace itself
    if seconds is not None and hours is not None:
        raise click.UsageError("--seconds and --hours set the same duration: give only one of them")
    options = RunOptions(
        dut=parse_device(dut),
        broker=parse_broker(broker),
        recording=recording,
        daemon_command=_parse_command(daemon),
    )
    duration_s = seconds if hours is None else hours * _SECONDS_PER_HOUR
    scenarios = _select(names, duration_s, seed, any_device=not options.dut.emulated)
    if json is not None:
        check_output(json)
    with _progress(len(scenarios)) as on_done:
        jobs = jobs or _JOBS_PER_CORE * (os.cpu_count() or 1)
        record = _run_until_done(run_suite(scenarios, options, jobs=jobs, keep=keep, on_done=on_done))
    if json is not None:
        write_bytes(json, f"{record.to_json()}\n".encode())
    outputs.write(record)
    if not record.verdict.good or record.verdict is Verdict.SKIPPED:
        sys.exit(EXIT_FAILED)


def _parse_command(command: str | None) -> list[str] | None:
    """Split ``command`` into words as a shell does. Raises :class:`InputError`."""
    if command is None:
        return None
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"--daemon {command!r}: {error}") from error
    if not words:
        raise InputError("--daemon: expected a command, such as 'stinger run'")
    return words


def _run_until_done(work: Coroutine[Any, Any, RunRecord]) -> RunRecord:
    """Return the result of ``work``.

    SIGINT, SIGTERM and SIGHUP stop every child process, and raise :class:`click.Abort`.
    """

    async def cancellable() -> RunRecord:
        task = asyncio.current_task()
        assert task is not None
        for name in ("SIGTERM", "SIGHUP"):
            with suppress(AttributeError, NotImplementedError):  # Windows
                asyncio.get_running_loop().add_signal_handler(getattr(signal, name), task.cancel)
        return await work

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise click.Abort from None


def _select(names: tuple[str, ...], seconds: float | None, seed: int | None, *, any_device: bool) -> list[Scenario]:
    """Return the scenarios named; by default the default set or, for an external device, those that work with any."""
    if names:
        scenarios = list({name: find_scenario(name) for name in names}.values())
    else:
        shipped = shipped_scenarios().values()
        scenarios = [scenario for scenario in shipped if (scenario.any_device if any_device else scenario.default)]
    changed = [scenario if seconds is None else scenario.with_duration(seconds) for scenario in scenarios]
    return changed if seed is None else [scenario.with_seed(seed) for scenario in changed]


@contextmanager
def _progress(total: int) -> Iterator[OnDone]:
    """Print a line to stderr as each scenario ends, and on a terminal show a progress bar.

    Report progress to other programs.
    """
    console = Console(file=unguarded(sys.stderr), highlight=False)
    columns = (TextColumn("scenarios"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        reported_progress("scenarios", total) as report,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("", total=total)

        def on_done(record: ScenarioRecord) -> None:
            console.print(printable(f"{record.name}: {VERDICT_WORDS[record.verdict]}"), soft_wrap=True, markup=False)
            progress.advance(task)
            report(1)

        yield on_done
