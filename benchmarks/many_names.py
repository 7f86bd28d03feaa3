"""What invented names of devices cost, and how long a start takes after a kill that left many recordings open.

Run: python -m benchmarks.many_names [NUMBER OF NAMES]. Needs mosquitto. Takes about a minute for 10,000. Each name
publishes one valid message of a second of samples. Then the daemon is killed, and started again.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import aiomqtt

from models.synthetic import synthesise
from stinger.wire.sample_messages import SampleMessage, encode_message
from tests.helpers.brokers import Mosquitto
from tests.helpers.daemons import DaemonProcess, daemon

NAMES = 10_000
SETTLE_S = 5.0
RECOVERY_WAITS = 20


async def publish(port: int, names: int) -> None:
    """Publish one message for each name, in bursts of 100."""
    payload = encode_message(SampleMessage(0, synthesise(minutes=1 / 60, seed=1, still_pause=False)))
    async with aiomqtt.Client("127.0.0.1", port) as client:
        for number in range(names):
            await client.publish(f"stinger/invented{number}/samples", payload)
            if not number % 100:
                await asyncio.sleep(0.05)


async def retained(port: int) -> int:
    """Return how many topics below ``stinger`` the broker retains."""
    topics: set[str] = set()
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("stinger/#")
        try:
            async with asyncio.timeout(SETTLE_S):
                async for message in client.messages:
                    if message.retain:
                        topics.add(message.topic.value)
        except TimeoutError:
            return len(topics)
    return len(topics)


def metric(process: DaemonProcess, name: str) -> float:
    """Return the value of a metric without labels."""
    address = process.wait_for(r"metrics: (http://\S+)/metrics")[1]
    with urllib.request.urlopen(f"{address}/metrics", timeout=30) as answer:
        rows = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    return float(rows[name])


def main(names: int) -> None:
    """Print what ``names`` invented names cost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder / "mosquitto")
        broker.start()
        arguments = ("--source", "mqtt:", "--broker", f"mqtt://127.0.0.1:{broker.port}", "--metrics-port", "0")
        try:
            with daemon(folder, *arguments) as process:
                process.wait_for("ready: broker")
                time.sleep(1)
                asyncio.run(publish(broker.port, names))
                time.sleep(SETTLE_S)
                print(
                    f"{names:,} names: {metric(process, 'stinger_devices'):,.0f} devices, "
                    f"{metric(process, 'stinger_devices_refused_total'):,.0f} messages refused, "
                    f"{metric(process, 'process_resident_memory_bytes') / 1e6:.0f} MB, "
                    f"{asyncio.run(retained(broker.port)):,} retained topics"
                )
            began_s = time.monotonic()
            with daemon(folder, *arguments, name="again") as process:
                process.wait_for("ready: broker")
                ready_s = time.monotonic() - began_s
                for _ in range(RECOVERY_WAITS):
                    try:
                        process.wait_for("recordings_recovered")
                        break
                    except AssertionError:
                        continue
                recovered_s = time.monotonic() - began_s
                line = process.wait_for(r"recordings_recovered closed=\d+")[0]
                print(f"started again: ready after {ready_s:.1f} s; {line} after {recovered_s:.1f} s")
        finally:
            broker.kill()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else NAMES)
