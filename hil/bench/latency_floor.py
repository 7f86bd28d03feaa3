"""The floor beneath a daemon: the same bytes through the same serial library and one publish, with nothing between.

Run as a process of its own: python -m hil.bench.latency_floor SOURCE_URL BROKER_HOST BROKER_PORT.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Callable
from typing import Final

import aiomqtt
import serial_asyncio_fast

from stinger.wire.frames import FrameDecoder
from stinger.wire.stream import SampleStream

READY: Final = "floor: ready"
DEVICE: Final = "floor"
"""Its name in the topics: those end in ``floor_scores`` and ``floor_shot``."""


class _Reader(asyncio.Protocol):
    """Asks for samples; each is told of at once."""

    def __init__(self, tell: Callable[[int, bool], None]) -> None:
        self._decoder = FrameDecoder()
        self._tell = tell
        self._pressed = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.Protocol`."""
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(SampleStream.start())

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        for sample in self._decoder.feed(data).samples:
            pressed = bool(sample["trigger"])
            self._tell(int(sample["timestamp_ms"]), pressed and not self._pressed)
            self._pressed = pressed


async def floor(source: str, host: str, port: int) -> None:
    """Publish each sample of ``source`` (serial: or tcp:) at QoS 0, and each trigger edge at QoS 1, until killed."""
    waiting: asyncio.Queue[tuple[str, int, bytes]] = asyncio.Queue()

    def tell(device_ms: int, edge: bool) -> None:
        payload = json.dumps({"id": str(device_ms), "device_ms": device_ms}).encode()
        waiting.put_nowait((f"stinger/{DEVICE}/floor_scores", 0, payload))
        if edge:
            waiting.put_nowait((f"stinger/{DEVICE}/floor_shot", 1, payload))

    at_once = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    async with aiomqtt.Client(host, port, socket_options=at_once) as client:
        await _open(source, lambda: _Reader(tell))
        print(READY, flush=True)  # noqa: T201 - what the bench waits for
        while True:
            topic, qos, payload = await waiting.get()
            await client.publish(topic, payload, qos=qos)


async def _open(source: str, reader: Callable[[], asyncio.Protocol]) -> None:
    loop = asyncio.get_running_loop()
    if source.startswith("tcp://"):
        host, _, port = source.removeprefix("tcp://").rpartition(":")
        await loop.create_connection(reader, host, int(port))
    else:
        await serial_asyncio_fast.create_serial_connection(loop, reader, source.removeprefix("serial://"))


if __name__ == "__main__":
    asyncio.run(floor(sys.argv[1], sys.argv[2], int(sys.argv[3])))
