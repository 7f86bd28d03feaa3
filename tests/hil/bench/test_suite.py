"""Runs of several scenarios: mistakes that are reported before the run, and scenarios that take turns."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hil.bench.broker import EXTERNAL, LOOPBACK, BrokerSpec, find_mosquitto, parse_broker
from hil.bench.device_under_test import parse_device
from hil.bench.processes import stinger_command
from hil.bench.run_options import RunOptions
from hil.bench.scenario import Scenario, parse_scenario
from hil.bench.scenario_run import run_scenario
from hil.bench.suite import RunScenario, run_suite
from hil.limits import Verdict
from hil.record import RunRecord, ScenarioRecord
from stinger.errors import FileError, InputError

OPTIONS = RunOptions(dut=parse_device("emulated"), broker=parse_broker("embedded"))


def scenario(name: str = "mine", **changed: Any) -> Scenario:
    return replace(parse_scenario(b'title = "x"', name=name, place=name), **changed)


def run(
    *scenarios: Scenario, options: RunOptions = OPTIONS, keep: Path | None = None, run_one: RunScenario = run_scenario
) -> RunRecord:
    return asyncio.run(run_suite(scenarios, options, jobs=4, keep=keep, run_one=run_one))


def test_two_scenarios_with_the_same_name_are_refused() -> None:
    with pytest.raises(
        InputError, match="2 scenarios are named 'mine': rename their files, so that each name is unique"
    ):
        run(scenario(), scenario())


def test_missing_recording_is_reported_before_anything_runs(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.bin")
    with pytest.raises(FileError, match=r"none\.bin: No such file"):
        run(scenario("first"), scenario("second", recording=missing), keep=tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_folder_with_another_run_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileError, match="mine: exists already, from another run"):
        run(scenario(), keep=tmp_path)
    assert list((tmp_path / "mine").iterdir()) == []


def test_broker_that_does_not_listen_is_reported_before_anything_runs() -> None:
    with socket.socket() as bound:  # but not listening
        bound.bind((LOOPBACK, 0))
        broker = BrokerSpec(EXTERNAL, LOOPBACK, bound.getsockname()[1])
        with pytest.raises(InputError, match=r"--broker mqtt://127\.0\.0\.1:\d+: .* is a broker running there\?"):
            run(scenario(), options=replace(OPTIONS, broker=broker))


def test_scenario_that_does_not_apply_is_skipped_without_reading_its_recording() -> None:
    needs_tcp = scenario(faults=["half_open:start=1,for=0"], recording="/nowhere.bin")
    (record,) = run(needs_tcp).scenarios
    assert (record.verdict, record.why) == (Verdict.SKIPPED, "only a TCP connection can be half open")


@pytest.mark.skipif(os.name != "posix", reason="needs a shell of POSIX")
@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
def test_daemon_that_does_not_start_again_fails_its_scenario(tmp_path: Path) -> None:
    started = tmp_path / "started"
    script = f'if [ -e {started} ]; then echo "cannot start twice"; exit 1; fi; touch {started}; exec "$@"'
    options = replace(
        OPTIONS,
        broker=parse_broker("mosquitto"),
        daemon_command=["sh", "-c", script, "sh", *stinger_command("run")],
    )
    killed = scenario(seconds=2.0, faults=["daemon_killed:start=0.3,for=0"])
    (record,) = run(killed, options=options).scenarios
    assert (record.verdict, record.why) == (Verdict.FAIL, "the daemon ended: cannot start twice")


@pytest.fixture
def listening_port() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(("shared", "at_a_time"), [("", 3), ("broker", 1), ("device", 1)])
def test_scenarios_take_turns_with_a_shared_broker_or_device(listening_port: int, shared: str, at_a_time: int) -> None:
    options = {
        "": OPTIONS,
        "broker": replace(OPTIONS, broker=BrokerSpec(EXTERNAL, LOOPBACK, listening_port)),
        "device": replace(OPTIONS, dut=parse_device("tcp:host:1")),
    }[shared]
    running, most = 0, 0

    async def pretend(one: Scenario, *_: object) -> ScenarioRecord:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return ScenarioRecord(one.name, one.title, "", 1, 0.0, 0.0, Verdict.PASS)

    run(*(scenario(name, any_device=True) for name in "abc"), options=options, run_one=pretend)
    assert most == at_a_time
