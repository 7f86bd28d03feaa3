"""What keeps a whole run from beginning, and which runs take turns."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hil.bench import suite
from hil.bench.broker import EXTERNAL, LOOPBACK, BrokerSpec, mosquitto, parse_broker
from hil.bench.daemon import DaemonUnderTest
from hil.bench.device_under_test import parse_device
from hil.bench.processes import ProcessError
from hil.bench.run_options import RunOptions
from hil.bench.scenario import Scenario, parse_scenario
from hil.bench.suite import run_suite
from hil.limits import Verdict
from hil.record import RunRecord, ScenarioRecord
from stinger.errors import FileError, InputError

SETUP = RunOptions(dut=parse_device("emulated"), broker=parse_broker("embedded"))


def scenario(name: str = "mine", **changed: Any) -> Scenario:
    return replace(parse_scenario(b'title = "x"', name=name, place=name), **changed)


def run(*scenarios: Scenario, setup: RunOptions = SETUP, keep: Path | None = None) -> RunRecord:
    return asyncio.run(run_suite(scenarios, setup, jobs=4, keep=keep))


def test_two_scenarios_of_one_name_are_refused() -> None:
    with pytest.raises(
        InputError, match="2 scenarios are named 'mine': they are told apart by the names of their files"
    ):
        run(scenario(), scenario())


def test_a_recording_that_is_not_there_is_told_of_before_anything_runs(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.bin")
    with pytest.raises(FileError, match=r"none\.bin: No such file"):
        run(scenario("first"), scenario("second", recording=missing), keep=tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_folder_that_holds_another_run_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileError, match="mine: is there already, from another run"):
        run(scenario(), keep=tmp_path)
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_broker_that_does_not_listen_is_told_of_before_anything_runs() -> None:
    with socket.socket() as bound:  # and not listening
        bound.bind((LOOPBACK, 0))
        broker = BrokerSpec(EXTERNAL, LOOPBACK, bound.getsockname()[1])
        with pytest.raises(InputError, match=r"--broker mqtt://127\.0\.0\.1:\d+: .* is a broker running there\?"):
            run(scenario(), setup=replace(SETUP, broker=broker))


def test_what_does_not_apply_is_skipped_whatever_it_would_play() -> None:
    needs_tcp = scenario(faults=["half_open:start=1,for=0"], recording="/nowhere.bin")
    (record,) = run(needs_tcp).scenarios
    assert (record.verdict, record.why) == (Verdict.SKIPPED, "only a TCP connection can be half open")


@pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed")
def test_a_daemon_that_does_not_come_back_fails_its_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    start, lives = DaemonUnderTest.start, 0

    async def once(daemon: DaemonUnderTest) -> None:
        nonlocal lives
        lives += 1
        if lives > 1:
            raise ProcessError("the daemon ended: no such luck")
        await start(daemon)

    monkeypatch.setattr(DaemonUnderTest, "start", once)
    killed = scenario(seconds=2.0, faults=["daemon_killed:start=0.3,for=0"])
    (record,) = run(killed, setup=replace(SETUP, broker=parse_broker("mosquitto"))).scenarios
    assert (record.verdict, record.why) == (Verdict.FAIL, "the daemon ended: no such luck")


@pytest.mark.parametrize(
    ("setup", "at_a_time"),
    [
        (SETUP, 3),
        (replace(SETUP, broker=BrokerSpec(EXTERNAL, LOOPBACK, 1)), 1),
        (replace(SETUP, dut=parse_device("tcp:host:1")), 1),
    ],
    ids=["own", "broker", "device"],
)
def test_scenarios_share_a_broker_or_a_device_in_turns(
    monkeypatch: pytest.MonkeyPatch, setup: RunOptions, at_a_time: int
) -> None:
    running, most = 0, 0

    async def pretend(one: Scenario, *_: object) -> ScenarioRecord:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return ScenarioRecord(one.name, one.title, "", 1, 0.0, 0.0, Verdict.PASS)

    monkeypatch.setattr(suite, "run_scenario", pretend)
    monkeypatch.setattr(suite, "check_broker_listens", lambda _: None)
    run(*(scenario(name, any_device=True) for name in "abc"), setup=setup)
    assert most == at_a_time
