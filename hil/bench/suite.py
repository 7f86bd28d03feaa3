"""Many scenarios: those that need the machine for themselves one by one, the others beside each other."""

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

Done = Callable[[ScenarioRecord], None]


async def run_suite(
    scenarios: Sequence[Scenario],
    setup: RunOptions,
    *,
    jobs: int,
    keep: Path | None = None,
    done: Done = lambda _: None,
) -> RunRecord:
    """Run ``scenarios``, at most ``jobs`` at a time; ``done`` is told of each as it ends.

    In ``keep`` the files of each scenario stay: logs, journals, recordings. Raises :class:`InputError` for what no
    scenario can run with; most of that before the first of them begins.
    """
    _check(scenarios, setup, keep)
    if setup.shared:
        jobs = 1
    began_ns, started = time.monotonic_ns(), datetime.now(UTC).isoformat(timespec="seconds")
    records: dict[str, ScenarioRecord] = {}
    with _folder(keep) as folder:
        noise = HostWakeupMonitor(folder)
        async with noise.child:

            async def run(scenario: Scenario) -> None:
                record = await run_scenario(scenario, setup, folder / scenario.name, noise, began_ns)
                records[scenario.name] = record
                done(record)

            await _beside_each_other([one for one in scenarios if not one.alone], run, jobs)
            for scenario in scenarios:
                if scenario.alone:
                    await run(scenario)
    ordered = [records[scenario.name] for scenario in scenarios]
    port = setup.dut.address if setup.dut.kind == "serial" else None
    return RunRecord(
        started=started.replace("+00:00", "Z"),
        duration_s=(time.monotonic_ns() - began_ns) / 1e9,
        verdict=max((record.verdict for record in ordered), key=lambda verdict: verdict.rank, default=Verdict.SKIPPED),
        environment={**environment(model=f"factory, {factory_model().sha256[:12]}", port=port), **_about(setup)},
        scenarios=ordered,
    )


async def _beside_each_other(
    scenarios: Sequence[Scenario], run: Callable[[Scenario], Awaitable[None]], jobs: int
) -> None:
    room = asyncio.Semaphore(jobs)

    async def one(scenario: Scenario) -> None:
        async with room:
            await run(scenario)

    try:
        async with asyncio.TaskGroup() as tasks:
            for scenario in scenarios:
                tasks.create_task(one(scenario), name=f"scenario {scenario.name}")
    except* InputError as failed:
        raise first_error(failed) from None


def _check(scenarios: Sequence[Scenario], setup: RunOptions, keep: Path | None) -> None:
    """Raise :class:`InputError` for what can be seen to be wrong before anything runs."""
    for name, count in Counter(scenario.name for scenario in scenarios).items():
        if count > 1:
            raise InputError(f"{count} scenarios are named '{name}': they are told apart by the names of their files")
        if keep is not None and (keep / name).exists():
            raise FileError(keep / name, "is there already, from another run: name another folder with --keep")
    wanted = [scenario for scenario in scenarios if skip_reason(scenario, setup) is None]
    if not wanted:
        return
    check_broker_listens(setup.broker)
    if not setup.dut.emulated:
        ExternalDevice(setup.dut)
        return
    for source in dict.fromkeys(setup.recording or scenario.recording for scenario in wanted):
        check_workload_source(source)


def _about(setup: RunOptions) -> dict[str, str | float | None]:
    return {
        "device under test": str(setup.dut),
        "broker": setup.broker.kind if not setup.broker.port else f"mqtt://{setup.broker.host}:{setup.broker.port}",
        "recording": None if setup.recording is None else Path(setup.recording).name,
        "daemon": None if setup.daemon_command is None else shlex.join(setup.daemon_command),
    }


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """A folder for the run; short, as sockets and ptys have short names."""
    if keep is not None:
        make_folder(keep)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="stinger-hil-", ignore_cleanup_errors=True) as name:
        yield Path(name)
