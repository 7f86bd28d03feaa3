"""The shipped scenarios with a real daemon; with ``--dut serial:/dev/ttyACM0`` with a real blaster.

Each test is one scenario. A fixture runs the scenarios of all tests of this run before the first test: those that do
not measure times run at the same time, the others alone. The suite runs :data:`QUICK`, ``-m slow`` the others.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import pytest

from hil.bench.broker import parse_broker
from hil.bench.device_under_test import parse_device
from hil.bench.run_options import RunOptions
from hil.bench.scenario import Scenario, shipped_scenarios
from hil.bench.suite import run_suite
from hil.limits import Verdict
from hil.measuring.definitions import MEASUREMENTS
from hil.measuring.verdict import STANDSTILL_MS
from hil.record import ScenarioRecord
from hil.report.formatting import reasons
from tests.helpers.places import ROOT
from tests.helpers.sabotage import Sabotage

pytestmark = [
    pytest.mark.calm,
    pytest.mark.skipif(os.name != "posix", reason="the bench stops daemons with signals of POSIX"),
]

JOBS: Final = 6
ATTEMPTS: Final = 3
"""How often a scenario is run that is inconclusive because the machine was busy."""
SCENARIOS: Final = [name for name, scenario in shipped_scenarios().items() if scenario.default or scenario.any_device]
QUICK: Final = {
    "broker_restarted",
    "bursts",
    "daemon_killed",
    "disk_full",
    "model_swapped",
    "reboot",
    "steady",
    "together",
    "unplug",
}
"""One scenario for each part that can fail (broker, daemon, disk, model, blaster, link), and all that measure times
with few devices.
"""

CAUGHT_BY: Final = {
    Sabotage.DELAY: "event_latency_p50_ms",
    Sabotage.DROP: "shots_lost",
    Sabotage.REPEAT: "events_redelivered",
    Sabotage.MISSCORE: "disagreement",
    Sabotage.LOSE: "samples_lost",
    Sabotage.FORGET: "events_contradictory",
}
CONSEQUENCES: Final[Mapping[Sabotage, set[str]]] = {
    # A spin-up whose only shot was left out still ends with with_shot.
    Sabotage.DROP: {"events_contradictory"},
    # A lost sample is missing from windows, and a trigger edge may be among the lost samples.
    Sabotage.LOSE: {"disagreement", "shots_lost"},
}


def run(
    scenarios: Sequence[Scenario], dut: str, daemon_command: Sequence[str] | None = None
) -> dict[str, ScenarioRecord]:
    """Run ``scenarios``, and return their records by name."""
    options = RunOptions(dut=parse_device(dut), broker=parse_broker(None), daemon_command=daemon_command)
    record = asyncio.run(run_suite(scenarios, options, jobs=JOBS))
    return {scenario.name: scenario for scenario in record.scenarios}


def sabotaged(how: Sabotage) -> list[str]:
    """Return the command of a daemon with this fault."""
    return ["env", f"SABOTAGE={how}", sys.executable, str(ROOT / "tests/helpers/sabotaged_daemon.py"), "run"]


def slow_unless(quick: bool, value: object) -> pytest.ParameterSet:
    """Return ``value`` as a parameter of a test that is slow unless it is ``quick``."""
    return pytest.param(value, marks=() if quick else pytest.mark.slow)


def parameters_of(request: pytest.FixtureRequest, test: Callable[..., None], name: str) -> list[Any]:
    """Return the values of the parameter ``name`` for which ``test`` is run in this session."""
    run = (item for item in request.session.items if isinstance(item, pytest.Function))
    return [item.callspec.params[name] for item in run if item.function is test]


@pytest.fixture(scope="module")
def records(request: pytest.FixtureRequest) -> Mapping[str, ScenarioRecord]:
    """The record of every scenario of this session by name; inconclusive ones are run again, alone."""
    dut = request.config.getoption("--dut")
    shipped = shipped_scenarios()
    names = parameters_of(request, test_scenario, "name")
    wanted = [shipped[name] for name in names if dut != "emulated" or not shipped[name].any_device]
    records = run(wanted, dut)
    for _ in range(ATTEMPTS - 1):
        inconclusive = [each for each in wanted if records[each.name].verdict is Verdict.INCONCLUSIVE]
        if inconclusive:
            records |= run([replace(each, alone=True) for each in inconclusive], dut)
    return records


@pytest.mark.parametrize("name", [slow_unless(name in QUICK, name) for name in SCENARIOS])
def test_scenario(records: Mapping[str, ScenarioRecord], name: str) -> None:
    record = records.get(name)
    if record is None:
        pytest.skip("it needs a real device: name one with --dut")
    if record.verdict in (Verdict.SKIPPED, Verdict.INCONCLUSIVE):
        pytest.skip(f"{record.verdict}: {record.why}")
    assert record.verdict.good, "\n".join([record.why, *reasons(record)])


@pytest.fixture(scope="module")
def records_of_faulty_daemons(request: pytest.FixtureRequest) -> Mapping[Sabotage, ScenarioRecord]:
    """The record of the steady scenario with a daemon with each fault of this session; all run at the same time."""
    steady = replace(shipped_scenarios()["steady"].with_duration(6), alone=False, floor=False)
    faults: list[Sabotage] = parameters_of(request, test_faulty_daemon_fails_the_right_measurement, "how")
    with ThreadPoolExecutor(len(faults)) as threads:
        runs = threads.map(lambda how: run([steady], "emulated", sabotaged(how)), faults)
        return {how: records["steady"] for how, records in zip(faults, runs, strict=True)}


@pytest.mark.parametrize("how", [slow_unless(how in (Sabotage.DROP, Sabotage.MISSCORE), how) for how in Sabotage])
def test_faulty_daemon_fails_the_right_measurement(
    records_of_faulty_daemons: Mapping[Sabotage, ScenarioRecord], how: Sabotage
) -> None:
    measurements = {each.name: each for each in records_of_faulty_daemons[how].measurements}
    assert measurements[CAUGHT_BY[how]].verdict is Verdict.FAIL, measurements[CAUGHT_BY[how]]
    failed = {name for name, each in measurements.items() if each.verdict is Verdict.FAIL} & set(CAUGHT_BY.values())
    consequences = CONSEQUENCES.get(how, set())
    busy = {"event_latency_p50_ms"}  # six daemons run at the same time
    if (measurements["host_late_longest_ms"].value or 0.0) > STANDSTILL_MS:
        busy |= {name for name, definition in MEASUREMENTS.items() if definition.time_dependent}
    assert failed <= {CAUGHT_BY[how]} | consequences | busy
