"""Runs one scenario, from starting its processes to its record."""

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

from hil.bench.broker import BROKER_READY, EMBEDDED, free_port, mosquitto_process
from hil.bench.daemon import DaemonOptions, DaemonUnderTest, read_recordings
from hil.bench.device_under_test import QEMU, DeviceUnderTest, EmulatorOptions, EmulatorProcess, ExternalDevice
from hil.bench.host_wakeup import HostWakeupMonitor
from hil.bench.latency_floor import FLOOR_DEVICE, FLOOR_READY
from hil.bench.observer import MessageObserver
from hil.bench.processes import ChildProcess, StarvedError, stinger_command
from hil.bench.relay import TcpRelay
from hil.bench.run_options import RunOptions, skip_reason
from hil.bench.scenario import Scenario, fault_kind
from hil.bench.small_disk import SmallDisk
from hil.bench.streaming import wait_until_streaming
from hil.bench.testbed import Testbed
from hil.bench.workload import make_workload
from hil.limits import Verdict
from hil.measuring.assess import assess
from hil.measuring.observations import DeviceObservations, InjectedFault, ScenarioObservations
from hil.measuring.verdict import verdict_of
from hil.record import ScenarioRecord
from models.factory import factory_model
from stinger.errors import InputError, StingerError, first_error
from stinger.files import make_folder
from stinger.packages import python_module
from stinger.sample import SAMPLE_DTYPE, SampleArray
from stinger.units import NS_PER_S

SETTLE_S: Final = 0.7
"""How long after the last sample the bench waits for scores and events."""
FIRST_SCRAPE_S: Final = 1.0
"""How long after the first sample the daemon's CPU and memory are first measured."""

_SCRAPES: Final = 40
"""About how many times CPU and memory are measured in a long scenario."""
_MIN_SCRAPE_INTERVAL_S: Final = 30.0
"""The shortest time between two of these measurements."""
_NO_SAMPLES: Final[SampleArray] = np.empty(0, dtype=SAMPLE_DTYPE)


async def run_scenario(
    scenario: Scenario, options: RunOptions, folder: Path, wakeups: HostWakeupMonitor, run_began_ns: int
) -> ScenarioRecord:
    """Run ``scenario`` with its files in the new ``folder``, and return its record.

    A process that fails gives a record with the verdict FAIL, or INCONCLUSIVE if it only lacked a processor. Raises
    :class:`InputError` for unusable options.
    """
    began_ns = time.monotonic_ns()
    record = ScenarioRecord(
        name=scenario.name,
        title=scenario.title,
        dut=options.dut.description,
        seed=scenario.seed,
        started_s=(began_ns - run_began_ns) / NS_PER_S,
        duration_s=0.0,
        verdict=Verdict.SKIPPED,
    )
    reason = skip_reason(scenario, options)
    if reason is not None:
        return replace(record, why=reason)
    make_folder(folder)
    try:
        run = await asyncio.to_thread(_ScenarioRun, scenario, options, folder)
        observations = await run.observe()
    except InputError:
        raise
    except StingerError as error:
        duration_s = (time.monotonic_ns() - began_ns) / NS_PER_S
        verdict = Verdict.INCONCLUSIVE if isinstance(error, StarvedError) else Verdict.FAIL
        return replace(record, verdict=verdict, why=str(error), duration_s=duration_s)
    delays = wakeups.delays(observations.began_ns, time.monotonic_ns())
    if delays is not None:
        observations = replace(observations, host_late_p99_ms=delays.p99_ms, host_late_longest_ms=delays.longest_ms)
    results = await asyncio.to_thread(assess, observations)
    measurements = results.measurements(scenario.limits)
    verdict, why = verdict_of(
        measurements,
        observations.host_late_p99_ms,
        longest_late_ms=observations.host_late_longest_ms,
        daemon_waited_share=observations.daemon_waited_share,
        devices=len(observations.devices),
    )
    return replace(
        record,
        duration_s=(time.monotonic_ns() - began_ns) / NS_PER_S,
        verdict=verdict,
        why=why,
        measurements=measurements,
        latencies=results.latencies,
        timeline=results.timeline,
    )


class _ScenarioRun:
    """Starts, observes and stops the processes of one scenario."""

    def __init__(self, scenario: Scenario, options: RunOptions, folder: Path) -> None:
        self._scenario = scenario
        self._options = options
        self._folder = folder
        self._data_dir = folder / "data"
        self._names = [f"d{i}" for i in range(scenario.devices)] if options.dut.emulated else ["d0"]
        self._floor = scenario.floor and options.dut.emulated
        self._dut = self._make_dut()

    async def observe(self) -> ScenarioObservations:
        """Run the scenario, and return what was observed. Raises :class:`StingerError` if a process fails."""
        async with AsyncExitStack() as stack:
            if "disk_full" in self._scenario.bench_fault_kinds():
                stack.enter_context(SmallDisk(self._data_dir))
            return await self._run(stack)

    async def _run(self, stack: AsyncExitStack) -> ScenarioObservations:
        scenario, options = self._scenario, self._options
        broker, host, port = await self._start_broker(stack)
        sources, relays = await self._start_device_relays(stack)
        broker_url, broker_relay = await self._start_broker_relay(stack, host, port)
        daemon = DaemonUnderTest(
            DaemonOptions(
                command=options.daemon_command or stinger_command("run"),
                sources=sources,
                broker=broker_url,
                data_dir=self._data_dir,
                scores=scenario.scores,
            ),
            self._folder,
        )
        stack.callback(daemon.process.kill)
        stack.callback(self._dut.kill)
        persistent = options.broker.restartable
        name = f"stinger-hil-{secrets.token_hex(4)}"
        if options.broker.kind == EMBEDDED:
            since_ns = time.monotonic_ns()
            await daemon.start()
            observer = MessageObserver(host, daemon.broker_port, name, persistent=persistent)
            await stack.enter_async_context(observer)
            await self._dut.start()
            await self._start_floor(stack, host, daemon.broker_port)
        else:
            observer = MessageObserver(host, port, name, persistent=persistent)
            await stack.enter_async_context(observer)
            await self._dut.start()
            await self._start_floor(stack, host, port)
            since_ns = time.monotonic_ns()
            await daemon.start()
        began_ns = await wait_until_streaming(observer, daemon, self._names, since_ns)
        waited_before_s = daemon.process.cpu_wait_s()
        testbed = Testbed(daemon, self._data_dir, broker, broker_relay, relays)
        faults = await self._inject_faults(testbed, daemon, began_ns)
        await asyncio.sleep(SETTLE_S)
        waited_s = max(0.0, daemon.process.cpu_wait_s() - waited_before_s)
        observed_s = (time.monotonic_ns() - began_ns) / NS_PER_S
        await daemon.stop()
        await self._dut.stop()
        # An external broker may deliver messages that it retained from another daemon.
        messages = [message for message in observer.messages() if message.at_ns >= since_ns]
        journals = self._dut.journals()
        return ScenarioObservations(
            began_ns=began_ns,
            devices=[self._device(name, journals[i], daemon) for i, name in enumerate(self._names)],
            messages=messages,
            faults=[*faults, *self._device_faults(journals)],
            daemon=daemon.observations(),
            daemon_waited_share=waited_s / observed_s,
            floor=DeviceObservations(FLOOR_DEVICE, journals[-1], _NO_SAMPLES) if self._floor else None,
        )

    def _make_dut(self) -> DeviceUnderTest:
        scenario, options = self._scenario, self._options
        if not options.dut.emulated:
            return ExternalDevice(options.dut)
        samples = make_workload(
            options.recording or scenario.recording, scenario.seconds, seed=scenario.seed, shots=scenario.shots
        )
        emulator = EmulatorOptions(
            samples=samples,
            count=scenario.devices + self._floor,
            link=scenario.link,
            threshold=factory_model().meta.decision.on,
            faults=list(scenario.device_faults()),
            seed=scenario.seed,
            qemu=options.dut.kind == QEMU,
        )
        return EmulatorProcess(emulator, self._folder)

    async def _start_broker(self, stack: AsyncExitStack) -> tuple[ChildProcess | None, str, int]:
        spec = self._options.broker
        if not spec.restartable:
            return None, spec.host, spec.port
        port = free_port()
        broker = await stack.enter_async_context(mosquitto_process(self._folder / "mosquitto", port))
        await broker.wait_for(BROKER_READY)
        return broker, spec.host, port

    async def _start_device_relays(self, stack: AsyncExitStack) -> tuple[list[str], list[TcpRelay]]:
        """Return the daemon's source URLs, and the relays that they lead through if connections are to be disturbed."""
        urls, relays = [], []
        half_open = "half_open" in self._scenario.bench_fault_kinds()
        for name, source in zip(self._names, self._dut.sources(), strict=False):
            url = source
            if half_open:
                host, _, port = source.removeprefix("tcp://").rpartition(":")
                relays.append(await stack.enter_async_context(TcpRelay(host, int(port))))
                url = f"tcp://{host}:{relays[-1].port}"
            urls.append(f"{url}?device={name}")
        return urls, relays

    async def _start_broker_relay(self, stack: AsyncExitStack, host: str, port: int) -> tuple[str, TcpRelay | None]:
        """Return the daemon's broker URL, and the relay that it leads through if connections are to be disturbed."""
        kinds = self._scenario.bench_fault_kinds()
        if self._options.broker.kind == EMBEDDED:
            return "embedded:0", None
        if not kinds & {"broker_slow", "broker_refusing"}:
            return f"mqtt://{host}:{port}", None
        relay = await stack.enter_async_context(TcpRelay(host, port))
        return f"mqtt://{host}:{relay.port}", relay

    async def _start_floor(self, stack: AsyncExitStack, host: str, port: int) -> None:
        if not self._floor:
            return
        command = python_module("hil.bench.latency_floor", self._dut.sources()[-1], host, str(port))
        log = self._folder / "latency_floor.log"
        floor = await stack.enter_async_context(ChildProcess("the latency floor", command, log))
        await floor.wait_for(FLOOR_READY)

    async def _inject_faults(self, testbed: Testbed, daemon: DaemonUnderTest, began_ns: int) -> list[InjectedFault]:
        """Inject the bench's faults on schedule, and return them when the time of the scenario is over."""
        end_s = began_ns / NS_PER_S + self._scenario.seconds
        try:
            async with asyncio.TaskGroup() as tasks:
                injections = [
                    tasks.create_task(testbed.inject(text, fault, began_ns), name=text)
                    for text, fault in self._scenario.bench_faults().items()
                ]
                scraping = tasks.create_task(self._scrape_repeatedly(daemon), name="scrape")
                await asyncio.sleep(max(0.0, end_s - time.monotonic()))
                scraping.cancel()
        except* StingerError as failed:
            raise first_error(failed) from None
        return [task.result() for task in injections]

    async def _scrape_repeatedly(self, daemon: DaemonUnderTest) -> None:
        await asyncio.sleep(FIRST_SCRAPE_S)
        interval_s = max(_MIN_SCRAPE_INTERVAL_S, self._scenario.seconds / _SCRAPES)
        while True:
            await asyncio.to_thread(daemon.scrape)
            await asyncio.sleep(interval_s)

    def _device(self, name: str, journal: SampleArray | None, daemon: DaemonUnderTest) -> DeviceObservations:
        recorded, damaged = read_recordings(self._data_dir, name)
        return DeviceObservations(name, journal, recorded, damaged, daemon.counters(name))

    def _device_faults(self, journals: Sequence[SampleArray | None]) -> Iterator[InjectedFault]:
        """Return when each device injected its own faults, by its schedule."""
        several = len(self._names) > 1
        for text, fault in self._scenario.device_faults().items():
            for name, journal in zip(self._names, journals, strict=False):
                if journal is None or not journal.size:
                    continue
                first_ns = int(journal["due_ns"][0])
                for number in range(fault.times_begun(self._scenario.seconds)):
                    start_ns = first_ns + round((fault.start + number * fault.every) * NS_PER_S)
                    end_ns = start_ns + round(fault.duration * NS_PER_S) if math.isfinite(fault.duration) else None
                    yield InjectedFault(fault_kind(text), text, start_ns, end_ns, name if several else "")
