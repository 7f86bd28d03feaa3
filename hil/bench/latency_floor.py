"""The latency floor: the same bytes through the same serial library and one publish, without a daemon.

Run as a process: python -P -m hil.bench.latency_floor SOURCE_URL BROKER_HOST BROKER_PORT.
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

FLOOR_READY: Final = "floor: ready"
"""What it prints once it is connected to the broker and the device."""
FLOOR_DEVICE: Final = "floor"
"""The device's name in its topics, which end in ``floor_scores`` and ``floor_shot``."""


class _Reader(asyncio.Protocol):
    """Requests samples, and calls ``on_sample`` with the time (device's clock, ms) and whether it is a trigger edge."""

    def __init__(self, on_sample: Callable[[int, bool], None]) -> None:
        self._decoder = FrameDecoder()
        self._on_sample = on_sample
        self._pressed = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.Protocol`."""
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(SampleStream.start())

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        for sample in self._decoder.feed(data).samples:
            pressed = bool(sample["trigger"])
            self._on_sample(int(sample["timestamp_ms"]), pressed and not self._pressed)
            self._pressed = pressed


async def publish_samples(source: str, host: str, port: int) -> None:
    """Publish each sample of ``source`` (serial: or tcp:) with QoS 0 and each trigger edge with QoS 1, until killed."""
    queue: asyncio.Queue[tuple[str, int, bytes]] = asyncio.Queue()

    def on_sample(device_ms: int, edge: bool) -> None:
        payload = json.dumps({"id": str(device_ms), "device_ms": device_ms}).encode()
        queue.put_nowait((f"stinger/{FLOOR_DEVICE}/floor_scores", 0, payload))
        if edge:
            queue.put_nowait((f"stinger/{FLOOR_DEVICE}/floor_shot", 1, payload))

    no_delay = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    async with aiomqtt.Client(host, port, socket_options=no_delay) as client:
        await _open(source, lambda: _Reader(on_sample))
        print(FLOOR_READY, flush=True)  # noqa: T201 - the bench waits for it
        while True:
            topic, qos, payload = await queue.get()
            await client.publish(topic, payload, qos=qos)


async def _open(source: str, reader: Callable[[], asyncio.Protocol]) -> None:
    loop = asyncio.get_running_loop()
    if source.startswith("tcp://"):
        host, _, port = source.removeprefix("tcp://").rpartition(":")
        await loop.create_connection(reader, host, int(port))
    else:
        await serial_asyncio_fast.create_serial_connection(loop, reader, source.removeprefix("serial://"))


if __name__ == "__main__":
    asyncio.run(publish_samples(sys.argv[1], sys.argv[2], int(sys.argv[3])))
