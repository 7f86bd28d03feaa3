"""How many ``samples`` messages a second (20 samples each) one process takes in from mosquitto, by client library.

Run: python -m benchmarks.inbound_samples [--rates 5000 10000 ...]. The load comes from processes of its own on the same
machine. A rate is held if nothing is lost and 99 of
100 messages are taken in within a second of being sent. gmqtt takes part where it is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import multiprocessing
import socket
import struct
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import numpy as np

from service.config.broker_address import BrokerAddress
from service.mqtt.sample_subscription import SampleSubscription
from tests.helpers.brokers import Mosquitto, until

SAMPLE_BYTES = 17
SAMPLES = 20
SECONDS = 3
DEVICES = 200
RATES = (5_000, 10_000, 15_000, 20_000, 30_000)

Take = Callable[[bytes], None]
Receiver = Callable[[int, Take], AbstractAsyncContextManager[None]]


def publish(topic: bytes, payload: bytes) -> bytes:
    """An MQTT 3.1.1 PUBLISH at QoS 0."""
    body = struct.pack(">H", len(topic)) + topic + payload
    return b"\x30" + bytes([len(body) & 127 | 128, len(body) >> 7]) + body


def generate(port: int, rate: int) -> None:
    """Publish at ``rate`` on a bare socket, in batches 5 ms apart, each message with the time it was sent."""
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04load")
        link.recv(4)
        rest = bytes(SAMPLES * SAMPLE_BYTES)
        topics = [b"stinger/b%d/samples" % n for n in range(DEVICES)]
        began, sent = time.perf_counter(), 0
        while sent < rate * SECONDS:
            due = min(rate * SECONDS, int((time.perf_counter() - began) * rate))
            stamp = struct.pack("<q", time.monotonic_ns())
            link.sendall(b"".join(publish(topics[n % DEVICES], stamp + rest) for n in range(sent, due)))
            sent = due
            time.sleep(0.005)
        time.sleep(0.2)


@asynccontextmanager
async def by_source(port: int, take: Take) -> AsyncIterator[None]:
    """The daemon's own way: gmqtt."""
    async with SampleSubscription(BrokerAddress("127.0.0.1", port))() as messages:

        async def listen() -> None:
            async for message in messages:
                take(message.payload)

        task = asyncio.create_task(listen())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def by_aiomqtt(port: int, take: Take) -> AsyncIterator[None]:
    """Aiomqtt as its documentation shows it."""
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("stinger/+/samples")

        async def listen() -> None:
            async for message in client.messages:
                take(message.payload)

        task = asyncio.create_task(listen())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def by_gmqtt(port: int, take: Take) -> AsyncIterator[None]:
    gmqtt: Any = importlib.import_module("gmqtt")
    client = gmqtt.Client("ear")
    client.on_message = lambda _client, _topic, payload, _qos, _properties: take(payload)
    await client.connect("127.0.0.1", port, version=4)
    client.subscribe("stinger/+/samples", qos=0)
    await asyncio.sleep(0.2)
    yield
    await client.disconnect()


async def measure(name: str, receiver: Receiver, port: int, rate: int) -> bool:
    """Print how ``rate`` went; whether it was held."""
    ages: list[int] = []

    def take(payload: bytes) -> None:
        ages.append(time.monotonic_ns() - struct.unpack_from("<q", payload)[0])

    async with receiver(port, take):
        load = multiprocessing.get_context("spawn").Process(target=generate, args=(port, rate))
        used = time.process_time()
        load.start()
        with suppress(TimeoutError):
            await until(lambda: len(ages) == rate * SECONDS)
        used = time.process_time() - used
        load.join(20)
    lost = rate * SECONDS - len(ages)
    p50, p99 = np.percentile(np.array(ages or [0]) / 1e6, [50, 99])
    held = lost == 0 and p99 < 1000
    print(
        f"  {name:<22}{rate:>8,} /s   lost {lost:>7,}   age p50 {p50:8.1f} ms  p99 {p99:8.1f} ms"
        f"   {used / max(1, len(ages)) * 1e6:5.1f} us of processor each{'' if held else '   <- breaks'}"
    )
    return held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, nargs="*", default=RATES)
    rates = parser.parse_args().rates
    receivers: dict[str, Receiver] = {"the source": by_source, "aiomqtt, as shown": by_aiomqtt}
    if importlib.util.find_spec("gmqtt") is not None:
        receivers["gmqtt"] = by_gmqtt
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(Path(folder))
        broker.start()
        try:
            print(f"Messages of {SAMPLES} samples, {SECONDS} s at each rate")
            for name, receiver in receivers.items():
                for rate in rates:
                    if not asyncio.run(measure(name, receiver, broker.port, rate)):
                        break
        finally:
            broker.kill()


if __name__ == "__main__":
    main()
