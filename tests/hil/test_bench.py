"""The shipped scenarios against a real daemon: ``pytest tests/hil/test_bench.py --dut serial:/dev/ttyACM0`` for a real blaster.

Each test is one scenario. All of them are run once, beside each other where time is not measured, before the first.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

import pytest

from hil.bench.broker import parse_broker
from hil.bench.device_under_test import parse_device
from hil.bench.run_options import RunOptions
from hil.bench.scenario import Scenario, shipped_scenarios
from hil.bench.suite import run_suite
from hil.limits import Verdict
from hil.record import RunRecord, ScenarioRecord
from hil.report.formatting import reasons
from tests.helpers.places import ROOT
from tests.helpers.sabotage import Sabotage

pytestmark = [
    pytest.mark.calm,
    pytest.mark.timeout(600),  # one fixture runs all scenarios in real time
    pytest.mark.skipif(os.name != "posix", reason="the bench ends daemons with signals of POSIX"),
]

JOBS: Final = 6
SCENARIOS: Final = [name for name, scenario in shipped_scenarios().items() if scenario.default or scenario.any_device]

CAUGHT_BY: Final = {
    Sabotage.DELAY: "event_latency_p50_ms",
    Sabotage.DROP: "shots_lost",
    Sabotage.REPEAT: "events_redelivered",
    Sabotage.MISSCORE: "disagreement",
    Sabotage.LOSE: "samples_lost",
    Sabotage.FORGET: "events_contradictory",
}


def run(scenarios: list[Scenario], dut: str, daemon_command: Sequence[str] | None = None) -> RunRecord:
    setup = RunOptions(dut=parse_device(dut), broker=parse_broker(None), daemon_command=daemon_command)
    return asyncio.run(run_suite(scenarios, setup, jobs=JOBS))


def sabotaged(how: Sabotage) -> list[str]:
    return ["env", f"SABOTAGE={how}", sys.executable, str(ROOT / "tests/helpers/sabotaged_daemon.py"), "run"]


@pytest.fixture(scope="module")
def records(pytestconfig: pytest.Config) -> Mapping[str, ScenarioRecord]:
    """Every scenario's record, by name."""
    dut = pytestconfig.getoption("--dut")
    shipped = shipped_scenarios()
    wanted = [shipped[name] for name in SCENARIOS if dut != "emulated" or not shipped[name].any_device]
    return {record.name: record for record in run(wanted, dut).scenarios}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(records: Mapping[str, ScenarioRecord], name: str) -> None:
    record = records.get(name)
    if record is None:
        pytest.skip("it is for a device on the desk: name one with --dut")
    if record.verdict in (Verdict.SKIPPED, Verdict.INCONCLUSIVE):
        pytest.skip(f"{record.verdict}: {record.why}")
    assert record.verdict.good, "\n".join([record.why, *reasons(record)])


@pytest.fixture(scope="module")
def broken() -> Mapping[Sabotage, ScenarioRecord]:
    """The steady scenario against a daemon broken in each way, all at the same time."""
    steady = replace(shipped_scenarios()["steady"].with_duration(6), alone=False, floor=False)
    with ThreadPoolExecutor(len(Sabotage)) as threads:
        runs = threads.map(lambda how: run([steady], "emulated", sabotaged(how)), Sabotage)
        return {how: found.scenarios[0] for how, found in zip(Sabotage, runs, strict=True)}


@pytest.mark.parametrize("how", list(Sabotage))
def test_a_broken_daemon_is_caught_by_the_right_measurement(
    broken: Mapping[Sabotage, ScenarioRecord], how: Sabotage
) -> None:
    (caught,) = [each for each in broken[how].measurements if each.name == CAUGHT_BY[how]]
    assert caught.verdict is Verdict.FAIL, caught
    others = {each.name for each in broken[how].measurements if each.verdict is Verdict.FAIL} & set(CAUGHT_BY.values())
    # A window that lacks a sample, and a trigger's edge among those lost.
    follow = {"disagreement", "shots_lost"} if how is Sabotage.LOSE else set()
    noisy = {"event_latency_p50_ms"}  # five daemons at a time
    assert others <= {CAUGHT_BY[how]} | follow | noisy
