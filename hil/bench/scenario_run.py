"""One scenario, from its devices' appearing to its record."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from hil.bench.broker import EMBEDDED, mosquitto_process
from hil.bench.broker import free_port as free_broker_port
from hil.bench.daemon import DaemonOptions, DaemonUnderTest, read_recordings
from hil.bench.device_under_test import DeviceUnderTest, EmulatorOptions, EmulatorProcess, ExternalDevice
from hil.bench.host_wakeup import HostWakeupMonitor
from hil.bench.latency_floor import DEVICE as FLOOR
from hil.bench.latency_floor import READY as FLOOR_READY
from hil.bench.observer import MessageObserver
from hil.bench.processes import PATIENCE_S, ChildProcess, ProcessError, stinger_command
from hil.bench.relay import TcpRelay
from hil.bench.run_options import RunOptions, skip_reason
from hil.bench.scenario import Scenario, fault_kind
from hil.bench.testbed import BROKER_READY, SmallDisk, Testbed
from hil.bench.workload import make_workload
from hil.limits import Verdict
from hil.measuring.assess import assess
from hil.measuring.messages import parse_messages
from hil.measuring.observations import DeviceObservations, InjectedFault, ScenarioObservations
from hil.measuring.verdict import verdict_of
from hil.record import ScenarioRecord
from models.factory import factory_model
from stinger.errors import InputError, StingerError, first_error
from stinger.files import make_folder
from stinger.packages import python_module
from stinger.sample import SAMPLE_DTYPE, SampleArray

SETTLE_S: Final = 0.7
"""After the last sample, what it made happen is waited for."""
FIRST_LOOK_S: Final = 1.0
"""From so long after the first sample on, the daemon's CPU and memory count."""

_MANY_LOOKS: Final = 40
_LOOK_EVERY_S: Final = 30.0
_POLL_S: Final = 0.01


async def run_scenario(
    scenario: Scenario, setup: RunOptions, folder: Path, noise: HostWakeupMonitor, run_began_ns: int
) -> ScenarioRecord:
    """Run it in ``folder``, which is its own, and measure. A failure of the bench's own parts is in the record as well."""
    began_ns = time.monotonic_ns()
    record = ScenarioRecord(
        name=scenario.name,
        title=scenario.title,
        dut=str(setup.dut),
        seed=scenario.seed,
        started_s=(began_ns - run_began_ns) / 1e9,
        duration_s=0.0,
        verdict=Verdict.SKIPPED,
    )
    reason = skip_reason(scenario, setup)
    if reason is not None:
        return replace(record, why=reason)
    make_folder(folder)
    try:
        running = await asyncio.to_thread(_Running, scenario, setup, folder)
        evidence = await running.evidence()
    except InputError:
        raise
    except StingerError as error:
        taken_s = (time.monotonic_ns() - began_ns) / 1e9
        return replace(record, verdict=Verdict.FAIL, why=str(error), duration_s=taken_s)
    late_ms = noise.late_p99_ms(evidence.began_ns, time.monotonic_ns())
    evidence = replace(evidence, host_late_p99_ms=late_ms)
    found = await asyncio.to_thread(assess, evidence)
    measurements = found.measurements(scenario.limits)
    verdict, why = verdict_of(measurements, late_ms, devices=len(evidence.devices))
    return replace(
        record,
        duration_s=(time.monotonic_ns() - began_ns) / 1e9,
        verdict=verdict,
        why=why,
        measurements=measurements,
        latencies=found.latencies,
        timeline=found.timeline,
    )


class _Running:
    """The parts of one scenario while it runs."""

    def __init__(self, scenario: Scenario, setup: RunOptions, folder: Path) -> None:
        self._scenario = scenario
        self._setup = setup
        self._folder = folder
        self._data_dir = folder / "data"
        self._names = [f"d{i}" for i in range(scenario.devices)] if setup.dut.emulated else ["d0"]
        self._floor = scenario.floor and setup.dut.emulated
        self._dut = self._make_dut()

    async def evidence(self) -> ScenarioObservations:
        """Run it all, and give what was seen. Raises :class:`StingerError` if a part does not do what it should."""
        async with AsyncExitStack() as stack:
            if "disk_full" in self._scenario.bench_fault_kinds():
                stack.enter_context(SmallDisk(self._data_dir))
            return await self._run(stack)

    async def _run(self, stack: AsyncExitStack) -> ScenarioObservations:
        scenario, setup = self._scenario, self._setup
        broker, host, port = await self._start_broker(stack)
        sources, relays = await self._relayed(stack)
        daemon_broker, broker_relay = await self._broker_for_daemon(stack, host, port)
        daemon = DaemonUnderTest(
            DaemonOptions(
                sources=sources,
                broker=daemon_broker,
                data_dir=self._data_dir,
                scores=scenario.scores,
                command=setup.daemon_command or stinger_command("run"),
            ),
            self._folder,
        )
        stack.callback(daemon.child.kill)
        stack.callback(self._dut.kill)
        lasting = setup.broker.restartable
        name = f"stinger-hil-{secrets.token_hex(4)}"
        if setup.broker.kind == EMBEDDED:
            since_ns = time.monotonic_ns()
            await daemon.start()
            observer = await stack.enter_async_context(MessageObserver(host, daemon.broker_port, name, lasting=lasting))
            await self._dut.start()
            await self._start_floor(stack, host, daemon.broker_port)
        else:
            observer = await stack.enter_async_context(MessageObserver(host, port, name, lasting=lasting))
            await self._dut.start()
            await self._start_floor(stack, host, port)
            since_ns = time.monotonic_ns()
            await daemon.start()
        began_ns = await _streaming(observer, daemon, self._names, since_ns)
        ground = Testbed(daemon, self._data_dir, broker, broker_relay, relays)
        faults = await self._let_happen(ground, daemon, began_ns)
        await asyncio.sleep(SETTLE_S)
        await daemon.end()
        await self._dut.stop()
        # What a broker kept from before was not said by this daemon.
        heard = [message for message in observer.heard() if message.at_ns >= since_ns]
        journals = self._dut.journals()
        return ScenarioObservations(
            began_ns=began_ns,
            devices=[self._device(name, journals[i], daemon) for i, name in enumerate(self._names)],
            heard=heard,
            faults=[*faults, *self._device_faults(journals)],
            daemon=daemon.evidence(),
            floor=DeviceObservations(FLOOR, journals[-1], _NO_SAMPLES) if self._floor else None,
        )

    def _make_dut(self) -> DeviceUnderTest:
        scenario, setup = self._scenario, self._setup
        if not setup.dut.emulated:
            return ExternalDevice(setup.dut)
        samples = make_workload(
            setup.recording or scenario.recording, scenario.seconds, seed=scenario.seed, shots=scenario.shots
        )
        emulated = EmulatorOptions(
            samples=samples,
            count=scenario.devices + self._floor,
            link=scenario.link,
            threshold=factory_model().meta.decision.on,
            faults=list(scenario.device_faults()),
            seed=scenario.seed,
        )
        return EmulatorProcess(emulated, self._folder)

    async def _start_broker(self, stack: AsyncExitStack) -> tuple[ChildProcess | None, str, int]:
        choice = self._setup.broker
        if not choice.restartable:
            return None, choice.host, choice.port
        port = free_broker_port()
        broker = await stack.enter_async_context(mosquitto_process(self._folder / "mosquitto", port))
        await broker.wait_for(BROKER_READY)
        return broker, choice.host, port

    async def _relayed(self, stack: AsyncExitStack) -> tuple[list[str], list[TcpRelay]]:
        """The daemon's sources, through relays where connections are to be disturbed."""
        found, relays = [], []
        half_open = "half_open" in self._scenario.bench_fault_kinds()
        for name, source in zip(self._names, self._dut.sources(), strict=False):
            url = source
            if half_open:
                host, _, port = source.removeprefix("tcp://").rpartition(":")
                relays.append(await stack.enter_async_context(TcpRelay(host, int(port))))
                url = f"tcp://{host}:{relays[-1].port}"
            found.append(f"{url}?device={name}")
        return found, relays

    async def _broker_for_daemon(self, stack: AsyncExitStack, host: str, port: int) -> tuple[str, TcpRelay | None]:
        kinds = self._scenario.bench_fault_kinds()
        if self._setup.broker.kind == EMBEDDED:
            return "embedded:0", None
        if not kinds & {"broker_slow", "broker_refusing"}:
            return f"mqtt://{host}:{port}", None
        relay = await stack.enter_async_context(TcpRelay(host, port))
        return f"mqtt://{host}:{relay.port}", relay

    async def _start_floor(self, stack: AsyncExitStack, host: str, port: int) -> None:
        if not self._floor:
            return
        command = python_module("hil.bench.latency_floor", self._dut.sources()[-1], host, str(port))
        child = await stack.enter_async_context(ChildProcess("the floor", command, self._folder / "floor.log"))
        await child.wait_for(FLOOR_READY)

    async def _let_happen(self, ground: Testbed, daemon: DaemonUnderTest, began_ns: int) -> list[InjectedFault]:
        """Let the time of the scenario pass, with its bench_faults."""
        end_s = began_ns / 1e9 + self._scenario.seconds
        try:
            async with asyncio.TaskGroup() as tasks:
                disturbing = [
                    tasks.create_task(ground.disturb(text, what, began_ns), name=text)
                    for text, what in self._scenario.bench_faults().items()
                ]
                looking = tasks.create_task(self._keep_looking(daemon), name="look")
                await asyncio.sleep(max(0.0, end_s - time.monotonic()))
                looking.cancel()
        except* StingerError as failed:
            raise first_error(failed) from None
        return [task.result() for task in disturbing]

    async def _keep_looking(self, daemon: DaemonUnderTest) -> None:
        await asyncio.sleep(FIRST_LOOK_S)
        every_s = max(_LOOK_EVERY_S, self._scenario.seconds / _MANY_LOOKS)
        while True:
            await asyncio.to_thread(daemon.look)
            await asyncio.sleep(every_s)

    def _device(self, name: str, journal: SampleArray | None, daemon: DaemonUnderTest) -> DeviceObservations:
        recorded, damaged = read_recordings(self._data_dir, name)
        return DeviceObservations(name, journal, recorded, damaged, daemon.told.get(name, {}))

    def _device_faults(self, journals: Sequence[SampleArray | None]) -> Iterator[InjectedFault]:
        """When the device's own faults were there, by its schedule."""
        several = len(self._names) > 1
        for text, fault in self._scenario.device_faults().items():
            for name, journal in zip(self._names, journals, strict=False):
                if journal is None or not journal.size:
                    continue
                first_ns = int(journal["due_ns"][0])
                for number in range(fault.begun(self._scenario.seconds)):
                    start_ns = first_ns + round((fault.start + number * fault.every) * 1e9)
                    end_ns = start_ns + round(fault.lasts * 1e9) if math.isfinite(fault.lasts) else None
                    yield InjectedFault(fault_kind(text), text, start_ns, end_ns, name if several else "")


async def _streaming(observer: MessageObserver, daemon: DaemonUnderTest, names: Sequence[str], since_ns: int) -> int:
    """When the last of the devices began to stream, as far as a subscriber is told after ``since_ns``."""
    waiting, last_word = set(names), {}
    deadline, seen, at_ns = time.monotonic() + PATIENCE_S, 0, 0
    while waiting:
        daemon.child.check()
        heard = observer.heard()
        for told in parse_messages(heard[seen:], ("link",)):
            if told.device in waiting and told.at_ns >= since_ns:
                last_word[told.device] = told
                if told.content.get("state") == "streaming":
                    waiting.discard(told.device)
                    at_ns = told.at_ns
        seen = len(heard)
        if waiting and time.monotonic() > deadline:
            name = min(waiting)
            said = last_word[name].content if name in last_word else {}
            why = said.get("reason") or "it says nothing of it"
            raise ProcessError(f"{len(waiting)} of {len(names)} devices do not stream, by the daemon: {name}: {why}")
        await asyncio.sleep(_POLL_S)
    return at_ns


_NO_SAMPLES: Final[SampleArray] = np.empty(0, dtype=SAMPLE_DTYPE)
