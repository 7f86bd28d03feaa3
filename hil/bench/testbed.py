"""The testbed of a running scenario, and how the bench injects faults into it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hil.bench.bench_faults import BenchFault, BrokerSlow
from hil.bench.broker import BROKER_READY
from hil.bench.daemon import DaemonUnderTest
from hil.bench.processes import ChildProcess
from hil.bench.relay import TcpRelay
from hil.bench.scenario import fault_kind
from hil.bench.small_disk import fill_disk
from hil.measuring.observations import InjectedFault
from models.factory import factory_model_bytes
from models.registry import Registry
from stinger.paths import registry_dir
from stinger.units import NS_PER_S

_FILLER: Final = "filler"
_GARBAGE_BYTES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Testbed:
    """The parts of a running scenario that faults are injected into.

    ``None`` where the bench does not control a part.
    """

    daemon: DaemonUnderTest
    data_dir: Path
    broker: ChildProcess | None = None
    broker_relay: TcpRelay | None = None
    device_relays: Sequence[TcpRelay] = ()

    async def inject(self, text: str, fault: BenchFault, began_ns: int) -> InjectedFault:
        """Begin ``fault`` when it is due, end it, and return when that was.

        ``text`` is the fault as in the scenario file; ``began_ns`` is the start of the scenario.
        """
        kind = fault_kind(text)
        await asyncio.sleep(max(0.0, began_ns / NS_PER_S + fault.start - time.monotonic()))
        start_ns = time.monotonic_ns()
        begin, end = _INJECTORS[kind]
        await begin(self, fault)
        if end is None:
            return InjectedFault(kind, text, start_ns)
        await asyncio.sleep(max(0.0, start_ns / NS_PER_S + fault.duration - time.monotonic()))
        await end(self)
        return InjectedFault(kind, text, start_ns, time.monotonic_ns())


async def _stop_broker(testbed: Testbed, _: BenchFault) -> None:
    assert testbed.broker is not None
    await testbed.broker.stop()


async def _start_broker(testbed: Testbed) -> None:
    assert testbed.broker is not None
    testbed.broker.start()
    await testbed.broker.wait_for(BROKER_READY)


async def _delay_broker(testbed: Testbed, fault: BenchFault) -> None:
    assert testbed.broker_relay is not None
    assert isinstance(fault, BrokerSlow)
    testbed.broker_relay.delay_s = fault.ms / 1000


async def _end_broker_delay(testbed: Testbed) -> None:
    assert testbed.broker_relay is not None
    testbed.broker_relay.delay_s = 0.0


async def _refuse_connections(testbed: Testbed, _: BenchFault) -> None:
    assert testbed.broker_relay is not None
    testbed.broker_relay.refuse()


async def _accept_connections(testbed: Testbed) -> None:
    assert testbed.broker_relay is not None
    testbed.broker_relay.accept()


async def _leave_half_open(testbed: Testbed, _: BenchFault) -> None:
    for relay in testbed.device_relays:
        relay.leave_half_open()


async def _nothing_to_undo(_: Testbed) -> None:
    """Do nothing: new connections through the relay work at any time."""


async def _fill_disk(testbed: Testbed, _: BenchFault) -> None:
    await asyncio.to_thread(fill_disk, testbed.data_dir / _FILLER)


async def _free_disk(testbed: Testbed) -> None:
    (testbed.data_dir / _FILLER).unlink()


async def _kill_daemon(testbed: Testbed, _: BenchFault) -> None:
    await asyncio.to_thread(testbed.daemon.collect_counters)
    testbed.daemon.process.kill()


async def _start_daemon(testbed: Testbed) -> None:
    await testbed.daemon.start()


async def _promote_model(testbed: Testbed, _: BenchFault) -> None:
    await asyncio.to_thread(_promote, testbed.data_dir, garbage=False)


async def _promote_garbage(testbed: Testbed, _: BenchFault) -> None:
    await asyncio.to_thread(_promote, testbed.data_dir, garbage=True)


_Begin = Callable[[Testbed, BenchFault], Awaitable[None]]
_End = Callable[[Testbed], Awaitable[None]]
_INJECTORS: Final[Mapping[str, tuple[_Begin, _End | None]]] = {
    "broker_stopped": (_stop_broker, _start_broker),
    "broker_slow": (_delay_broker, _end_broker_delay),
    "broker_refusing": (_refuse_connections, _accept_connections),
    "half_open": (_leave_half_open, _nothing_to_undo),
    "disk_full": (_fill_disk, _free_disk),
    "daemon_killed": (_kill_daemon, _start_daemon),
    "model_swapped": (_promote_model, None),
    "model_garbage": (_promote_garbage, None),
}
"""How each fault begins and ends; ``None`` for one without an end."""


def _promote(data_dir: Path, *, garbage: bool) -> None:
    registry = Registry(registry_dir(data_dir))
    version = registry.add("bench", factory_model_bytes(), {"made by": "a test bench"})
    if garbage:
        version.model_path.write_bytes(secrets.token_bytes(_GARBAGE_BYTES))
    registry.promote(version.id, why="promoted by a test bench")
