"""A client in a thread, connected to an emulated blaster in the test's event loop."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hil.emulated import EmulatedBlaster, EmulatedDevice, Port, PtyPort, TcpPort
from service.round_trip.blaster_address import BlasterAddress, resolve_address
from service.round_trip.blaster_client import BlasterClient, Timeouts
from tests.helpers.patience import PATIENCE_S
from tests.hil.emulating import SESSION, emulated

T = TypeVar("T")

KINDS = ("pty", "tcp")
QUICK = Timeouts(response_s=30.0, busy_retry_s=0.05)
"""For blasters that respond: long enough for a slow machine."""
SHORT = Timeouts(response_s=0.5, drain_s=4.0, upload_abandoned_s=0.8)
"""For blasters that do not respond."""


def port_of(kind: str, folder: Path) -> Port:
    return PtyPort(folder / "blaster") if kind == "pty" else TcpPort()


def address_of(device: EmulatedDevice) -> BlasterAddress:
    address = device.port.address
    return resolve_address(f"tcp://{address}" if isinstance(device.port, TcpPort) else address)


@dataclass
class ClientHarness:
    """Runs a client's requests in a thread, and collects the notices for the user."""

    device: EmulatedDevice
    timeouts: Timeouts
    notices: list[str] = field(default_factory=list)

    @contextmanager
    def open(self) -> Iterator[BlasterClient]:
        with address_of(self.device).open() as link:
            yield BlasterClient(link, notify=self.notices.append, timeouts=self.timeouts)

    async def run(self, work: Callable[[BlasterClient], T]) -> T:
        """Run ``work`` in a thread with a client that has synchronised."""

        def connect_and_work() -> T:
            with self.open() as client:
                client.synchronise()
                return work(client)

        return await asyncio.to_thread(connect_and_work)


@asynccontextmanager
async def client_of(
    port: Port,
    *,
    faults: Iterable[str] = (),
    blaster: EmulatedBlaster | None = None,
    timeouts: Timeouts = QUICK,
    **options: Any,
) -> AsyncIterator[ClientHarness]:
    """Run an emulated device with these options of ``emulated``, and a client for it."""
    async with emulated(SESSION, port=port, faults=faults, blaster=blaster, **options) as device:
        yield ClientHarness(device, timeouts)


@contextmanager
def device_in_thread(
    port: Port, *, faults: Iterable[str] = (), blaster: EmulatedBlaster | None = None
) -> Iterator[EmulatedDevice]:
    """Run a device with an event loop in a thread, for a host that needs the main thread."""
    there: queue.SimpleQueue[EmulatedDevice | None] = queue.SimpleQueue()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run_device() -> None:
        end = asyncio.Event()
        running.append((asyncio.get_running_loop(), end))
        async with emulated(SESSION, port=port, faults=faults, blaster=blaster) as device:
            there.put(device)
            await end.wait()

    def run() -> None:
        try:
            asyncio.run(run_device())
        finally:
            there.put(None)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        device = there.get(timeout=PATIENCE_S)
        assert device is not None
        yield device
    finally:
        for loop, end in running:
            loop.call_soon_threadsafe(end.set)
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
