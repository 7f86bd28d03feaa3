"""Runs many scenarios.

Several run at the same time, and then, one by one, those that need the machine for themselves.
"""

from __future__ import annotations

import asyncio
import shlex
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hil.bench.broker import check_broker_listens
from hil.bench.device_under_test import ExternalDevice
from hil.bench.host_wakeup import HostWakeupMonitor
from hil.bench.run_options import RunOptions, skip_reason
from hil.bench.scenario import Scenario
from hil.bench.scenario_run import run_scenario
from hil.bench.workload import check_workload_source
from hil.limits import Verdict
from hil.record import RunRecord, ScenarioRecord
from hil.report.environment import environment
from models.factory import factory_model
from stinger.errors import FileError, InputError, first_error
from stinger.files import make_folder
from stinger.units import NS_PER_S

OnDone = Callable[[ScenarioRecord], None]
RunScenario = Callable[[Scenario, RunOptions, Path, HostWakeupMonitor, int], Awaitable[ScenarioRecord]]


async def run_suite(
    scenarios: Sequence[Scenario],
    options: RunOptions,
    *,
    jobs: int,
    keep: Path | None = None,
    on_done: OnDone = lambda _: None,
    run_one: RunScenario = run_scenario,
) -> RunRecord:
    """Run ``scenarios``, at most ``jobs`` at a time, and call ``on_done`` with the record of each as it ends.

    The files of each scenario (logs, journals, recordings) stay in the folder ``keep``, if given. Raises
    :class:`InputError` for unusable options, in most cases before the first scenario begins.
    """
    _check(scenarios, options, keep)
    if options.shared:
        jobs = 1
    began_ns, started = time.monotonic_ns(), datetime.now(UTC).isoformat(timespec="seconds")
    records: dict[str, ScenarioRecord] = {}
    with _run_folder(keep) as folder:
        wakeups = HostWakeupMonitor(folder)
        async with wakeups.process:

            async def run(scenario: Scenario) -> None:
                record = await run_one(scenario, options, folder / scenario.name, wakeups, began_ns)
                records[scenario.name] = record
                on_done(record)

            await _run_concurrently([each for each in scenarios if not each.alone], run, jobs)
            for scenario in scenarios:
                if scenario.alone:
                    await run(scenario)
    ordered = [records[scenario.name] for scenario in scenarios]
    port = options.dut.address if options.dut.kind == "serial" else None
    return RunRecord(
        started=started.replace("+00:00", "Z"),
        duration_s=(time.monotonic_ns() - began_ns) / NS_PER_S,
        verdict=max((record.verdict for record in ordered), key=lambda verdict: verdict.rank, default=Verdict.SKIPPED),
        environment={
            **environment(model=f"factory, {factory_model().sha256[:12]}", port=port),
            **_options_for_record(options),
        },
        scenarios=ordered,
    )


async def _run_concurrently(
    scenarios: Sequence[Scenario], run: Callable[[Scenario], Awaitable[None]], jobs: int
) -> None:
    slots = asyncio.Semaphore(jobs)

    async def run_in_slot(scenario: Scenario) -> None:
        async with slots:
            await run(scenario)

    try:
        async with asyncio.TaskGroup() as tasks:
            for scenario in scenarios:
                tasks.create_task(run_in_slot(scenario), name=f"scenario {scenario.name}")
    except* InputError as failed:
        raise first_error(failed) from None


def _check(scenarios: Sequence[Scenario], options: RunOptions, keep: Path | None) -> None:
    """Raise :class:`InputError` for anything that is wrong before a scenario runs."""
    for name, count in Counter(scenario.name for scenario in scenarios).items():
        if count > 1:
            raise InputError(f"{count} scenarios are named '{name}': rename their files, so that each name is unique")
        if keep is not None and (keep / name).exists():
            raise FileError(keep / name, "exists already, from another run: choose another folder for --keep")
    wanted = [scenario for scenario in scenarios if skip_reason(scenario, options) is None]
    if not wanted:
        return
    check_broker_listens(options.broker)
    if not options.dut.emulated:
        ExternalDevice(options.dut)
        return
    for source in dict.fromkeys(options.recording or scenario.recording for scenario in wanted):
        check_workload_source(source)


def _options_for_record(options: RunOptions) -> dict[str, str | float | None]:
    broker = options.broker
    return {
        "device under test": str(options.dut),
        "broker": f"mqtt://{broker.host}:{broker.port}" if broker.port else broker.kind,
        "recording": "set by each scenario" if options.recording is None else Path(options.recording).name,
        "daemon": "stinger run" if options.daemon_command is None else shlex.join(options.daemon_command),
    }


@contextmanager
def _run_folder(keep: Path | None) -> Iterator[Path]:
    """Make a folder for the run, with a short path: paths of sockets and ptys have a small maximum length."""
    if keep is not None:
        make_folder(keep)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="stinger-hil-", ignore_cleanup_errors=True) as name:
        yield Path(name)
