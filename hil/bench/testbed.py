"""What a scenario runs on, and how the bench disturbs it."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hil.bench.bench_faults import BenchFault, BrokerSlow
from hil.bench.daemon import DaemonUnderTest
from hil.bench.processes import ChildProcess
from hil.bench.relay import TcpRelay
from hil.bench.scenario import fault_kind
from hil.measuring.observations import InjectedFault
from models.factory import factory_model_bytes
from models.registry import Registry
from stinger.errors import StingerError
from stinger.paths import registry_dir

SMALL_DISK_MB: Final = 64
_FILLER: Final = "filler"
_GARBAGE_BYTES: Final = 20_000


@dataclass(slots=True)
class Testbed:
    """The parts of a running scenario that can be disturbed; what is ``None`` is not the bench's to disturb."""

    daemon: DaemonUnderTest
    data_dir: Path
    broker: ChildProcess | None = None
    broker_relay: TcpRelay | None = None
    device_relays: list[TcpRelay] = field(default_factory=list)

    async def disturb(self, text: str, disturbance: BenchFault, began_ns: int) -> InjectedFault:
        """Begin it when it is due, end it, and say when it was. ``text`` is how the scenario describes it."""
        name = fault_kind(text)
        await asyncio.sleep(max(0.0, began_ns / 1e9 + disturbance.start - time.monotonic()))
        start_ns = time.monotonic_ns()
        begin, end = _WAYS[name]
        await begin(self, disturbance)
        if end is None:
            return InjectedFault(name, text, start_ns)
        await asyncio.sleep(max(0.0, start_ns / 1e9 + disturbance.lasts - time.monotonic()))
        await end(self)
        return InjectedFault(name, text, start_ns, time.monotonic_ns())


async def _stop_broker(ground: Testbed, _: BenchFault) -> None:
    assert ground.broker is not None
    await ground.broker.end()


async def _start_broker(ground: Testbed) -> None:
    assert ground.broker is not None
    ground.broker.start()
    await ground.broker.wait_for(BROKER_READY)


async def _slow_broker(ground: Testbed, disturbance: BenchFault) -> None:
    assert ground.broker_relay is not None
    assert isinstance(disturbance, BrokerSlow)
    ground.broker_relay.delay_s = disturbance.ms / 1000


async def _quick_broker(ground: Testbed) -> None:
    assert ground.broker_relay is not None
    ground.broker_relay.delay_s = 0.0


async def _refuse(ground: Testbed, _: BenchFault) -> None:
    assert ground.broker_relay is not None
    ground.broker_relay.refuse()


async def _allow(ground: Testbed) -> None:
    assert ground.broker_relay is not None
    ground.broker_relay.allow()


async def _leave_half_open(ground: Testbed, _: BenchFault) -> None:
    for relay in ground.device_relays:
        relay.leave_half_open()


async def _leave_it_so(_: Testbed) -> None:
    """A new connection works at any time: there is nothing to undo."""


async def _fill_disk(ground: Testbed, _: BenchFault) -> None:
    await asyncio.to_thread(_fill, ground.data_dir / _FILLER)


async def _make_room(ground: Testbed) -> None:
    (ground.data_dir / _FILLER).unlink()


async def _kill_daemon(ground: Testbed, _: BenchFault) -> None:
    await asyncio.to_thread(ground.daemon.keep_counts)
    ground.daemon.child.kill()


async def _start_daemon(ground: Testbed) -> None:
    await ground.daemon.start()


async def _swap_model(ground: Testbed, _: BenchFault) -> None:
    await asyncio.to_thread(_promote, ground.data_dir, garbage=False)


async def _promote_garbage(ground: Testbed, _: BenchFault) -> None:
    await asyncio.to_thread(_promote, ground.data_dir, garbage=True)


BROKER_READY: Final = r"mosquitto version \S+ running"

_Begin = Callable[[Testbed, BenchFault], Awaitable[None]]
_End = Callable[[Testbed], Awaitable[None]]
_WAYS: Final[Mapping[str, tuple[_Begin, _End | None]]] = {
    "broker_stopped": (_stop_broker, _start_broker),
    "broker_slow": (_slow_broker, _quick_broker),
    "broker_refusing": (_refuse, _allow),
    "half_open": (_leave_half_open, _leave_it_so),
    "disk_full": (_fill_disk, _make_room),
    "daemon_killed": (_kill_daemon, _start_daemon),
    "model_swapped": (_swap_model, None),
    "model_garbage": (_promote_garbage, None),
}


class SmallDisk:
    """A file system of 64 MB in memory at ``folder`` while it is entered. Linux, and the right to mount."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @staticmethod
    def skip_reason() -> str | None:
        """Why there can be none here; ``None`` if there can."""
        if not sys.platform.startswith("linux") or os.geteuid() != 0 or shutil.which("mount") is None:
            return "it fills a small disk, which only root on Linux can make"
        return None

    def __enter__(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        _system("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MB}m", "tmpfs", str(self._folder))

    def __exit__(self, *_: object) -> None:
        # Whoever still has a file open there, such as a thread that fills it as the bench is ended, keeps nothing from it.
        _system("umount", "--lazy", str(self._folder))


def _system(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the bench's own
    if done.returncode:
        raise StingerError(f"{' '.join(command)}: {done.stderr.strip()}")


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        block = bytes(2**16)
        while block:
            try:
                file.write(block)
            except OSError:  # full: what is left is smaller than this
                block = block[: len(block) // 2]


def _promote(data_dir: Path, *, garbage: bool) -> None:
    registry = Registry(registry_dir(data_dir))
    version = registry.add("bench", factory_model_bytes(), {"made by": "a test bench"})
    if garbage:
        version.model_path.write_bytes(secrets.token_bytes(_GARBAGE_BYTES))
    registry.promote(version.id, why="a test bench tries it")
