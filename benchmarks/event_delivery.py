"""How long an event takes from the outbox to a subscriber, and what it costs to put it into the outbox.

Run: python -m benchmarks.event_delivery (needs mosquitto; with --embedded, the broker inside the process).
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiomqtt
import numpy as np

from service.base.events import Shot
from service.config.broker_address import BrokerAddress
from service.mqtt.broker_link import BrokerLink
from service.mqtt.embedded_broker import EmbeddedBroker
from service.mqtt.messages import event_message
from service.mqtt.outbox import Outbox
from stinger.device_name import DeviceName
from tests.helpers.brokers import Mosquitto, until

EVENTS = 1500
PAUSE_S = 0.004
PUTS = 20_000
BURST = 5000


def show(name: str, seconds: list[float]) -> None:
    p50, p99, worst = np.percentile(np.array(seconds) * 1e3, [50, 99, 100])
    print(f"  {name:<44} p50 {p50:7.3f} ms   p99 {p99:7.3f} ms   max {worst:7.3f} ms")


def a_shot(n: int) -> Shot:
    return Shot(DeviceName("b1"), n, time.time(), True, 84.5, 0.97, True, "lr-1", id=f"{n}")


def measure_outbox(folder: Path) -> None:
    with Outbox(folder / "alone.db") as outbox:
        message = event_message(a_shot(0))
        took = []
        for _ in range(PUTS):
            began = time.perf_counter()
            outbox.put(message)
            took.append(time.perf_counter() - began)
        show("put", took)
        began = time.perf_counter()
        while (entry := outbox.take()) is not None:
            outbox.acknowledge(entry.number)
        print(f"  {'take and acknowledge':<44} mean {(time.perf_counter() - began) / PUTS * 1e3:.3f} ms")
    began = time.perf_counter()
    for n in range(PUTS):
        event_message(a_shot(n))
    print(f"  {'event to message':<44} mean {(time.perf_counter() - began) / PUTS * 1e3:.3f} ms")


async def listen(client: aiomqtt.Client, arrived: list[int]) -> None:
    """Record when each message arrived, by the clock of the sender, which is in the same process."""
    async for _ in client.messages:
        now = time.perf_counter_ns()
        arrived.append(now)


async def measure_floor(port: int) -> None:
    """Measure a publish of aiomqtt to a subscriber, without the outbox and the daemon's connection."""
    nodelay = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    arrived: list[int] = []
    async with (
        aiomqtt.Client("127.0.0.1", port, socket_options=nodelay) as client,
        aiomqtt.Client("127.0.0.1", port, socket_options=nodelay) as sender,
    ):
        await client.subscribe("floor", 1)
        listening = asyncio.create_task(listen(client, arrived))
        payload = event_message(a_shot(0)).payload
        sent = []
        for _ in range(EVENTS):
            await asyncio.sleep(PAUSE_S)
            sent.append(time.perf_counter_ns())
            await sender.publish("floor", payload, 1)
        await until(lambda: len(arrived) == EVENTS)
        show("aiomqtt alone, to the subscriber", [(b - a) / 1e9 for a, b in zip(sent, arrived, strict=True)])
        listening.cancel()


async def measure_delivery(port: int, folder: Path, *, embedded: bool) -> None:
    acknowledged: list[float] = []
    arrived: list[int] = []
    nodelay = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    with Outbox(folder / "outbox.db") as outbox:
        address = BrokerAddress("127.0.0.1", port, embedded=embedded)
        link = BrokerLink(address, outbox, version="1", on_acknowledged=acknowledged.append)
        async with asyncio.TaskGroup() as tasks, aiomqtt.Client("127.0.0.1", port, socket_options=nodelay) as client:
            await client.subscribe("stinger/+/shot", 1)
            listening = tasks.create_task(listen(client, arrived))
            tasks.create_task(link.run())
            await until(lambda: link.connected)
            sent = []
            for n in range(EVENTS):
                await asyncio.sleep(PAUSE_S)
                sent.append(time.perf_counter_ns())
                link.publisher.put(event_message(a_shot(n)))
            await until(lambda: len(arrived) == EVENTS)
            show("one at a time, to the subscriber", [(b - a) / 1e9 for a, b in zip(sent, arrived, strict=True)])
            show("one at a time, to the acknowledgement", acknowledged)
            began = time.perf_counter()
            for n in range(BURST):
                link.publisher.put(event_message(a_shot(n)))
            await until(lambda: len(arrived) == EVENTS + BURST)
            print(f"  {'a backlog of ' + str(BURST):<44} {BURST / (time.perf_counter() - began):,.0f} events a second")
            link.stop(2.0)
            listening.cancel()


async def run(folder: Path, *, embedded: bool) -> None:
    async with AsyncExitStack() as stack:
        if embedded:
            port = (await stack.enter_async_context(EmbeddedBroker(0))).port
        else:
            broker = Mosquitto(folder / "mosquitto")
            broker.start()
            stack.callback(broker.kill)
            port = broker.port
        await measure_floor(port)
        await measure_delivery(port, folder, embedded=embedded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedded", action="store_true", help="through the broker inside the process")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("The outbox alone")
        measure_outbox(folder)
        print(f"Through {'the embedded broker' if arguments.embedded else 'mosquitto on loopback'}, QoS 1")
        asyncio.run(run(folder, embedded=arguments.embedded))


if __name__ == "__main__":
    main()
