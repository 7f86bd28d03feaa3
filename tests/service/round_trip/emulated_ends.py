"""A conversation with an emulated blaster, which lives in the test's event loop while the talking is done in a thread."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from hil.emulated import EmulatedBlaster, EmulatedDevice, Firmware, Port, PtyPort, TcpPort
from service.round_trip.conversation import Conversation, Patience
from service.round_trip.opening import Place, place_of
from tests.hil.emulating import PATIENCE_S, SESSION, emulated

T = TypeVar("T")

KINDS = ("pty", "tcp")
QUICK = Patience(greeting_s=2.0, busy_s=0.05)
"""Where an answer comes: the machine may be slow."""
IMPATIENT = Patience(greeting_s=0.5, drain_s=4.0, upload_given_up_s=0.8)
"""Where none does."""


def port_of(kind: str, folder: Path) -> Port:
    return PtyPort(folder / "blaster") if kind == "pty" else TcpPort()


def place(device: EmulatedDevice) -> Place:
    address = device.port.address
    return place_of(f"tcp://{address}" if isinstance(device.port, TcpPort) else address)


@dataclass
class Talk:
    """What is done with a device, and what a user was told meanwhile."""

    device: EmulatedDevice
    patience: Patience
    said: list[str] = field(default_factory=list)

    @contextmanager
    def open(self) -> Iterator[Conversation]:
        with place(self.device).open() as link:
            yield Conversation(link, say=self.said.append, patience=self.patience)

    async def do(self, work: Callable[[Conversation], T]) -> T:
        """``work`` in a thread, over a link that was opened and greeted."""

        def whole() -> T:
            with self.open() as conversation:
                conversation.greet()
                return work(conversation)

        return await asyncio.to_thread(whole)


@asynccontextmanager
async def talk(
    port: Port,
    *,
    faults: Iterable[str] = (),
    blaster: EmulatedBlaster | None = None,
    firmware: Firmware = Firmware.LIVE,
    patience: Patience = QUICK,
) -> AsyncIterator[Talk]:
    async with emulated(SESSION, port=port, faults=faults, blaster=blaster, firmware=firmware) as device:
        yield Talk(device, patience)


@contextmanager
def device_elsewhere(
    port: Port, *, faults: Iterable[str] = (), blaster: EmulatedBlaster | None = None
) -> Iterator[EmulatedDevice]:
    """A device whose event loop runs in a thread, for a host that has the main one."""
    there: queue.SimpleQueue[EmulatedDevice | None] = queue.SimpleQueue()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def be() -> None:
        end = asyncio.Event()
        running.append((asyncio.get_running_loop(), end))
        async with emulated(SESSION, port=port, faults=faults, blaster=blaster) as device:
            there.put(device)
            await end.wait()

    def run() -> None:
        try:
            asyncio.run(be())
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
