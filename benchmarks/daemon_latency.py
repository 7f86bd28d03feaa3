"""Latency from a blaster's write of a sample to the shot at a subscriber.

Measured through the daemon, and through a minimal process. A pty stands in for the port, mosquitto runs on the
loopback, one device sends 100 samples a second with a trigger pull in every tenth. The minimal process, the floor,
reads the port with the same serial library and publishes each pull at QoS 1. Both take turns.

Run: python -m benchmarks.daemon_latency [seconds]
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import resource
import socket
import sys
import tempfile
import time
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import numpy as np
import serial_asyncio_fast

from models.synthetic import synthesise
from stinger.sample import SampleArray
from stinger.wire.frames import FrameDecoder, encode_frames
from tests.helpers.brokers import Mosquitto

ROUNDS = 3
PULL_EVERY = 10


def session(seconds: int) -> SampleArray:
    samples = synthesise(minutes=seconds / 60 + 0.2, seed=1, still_pause=False)[: seconds * 100].copy()
    samples["timestamp_ms"] = np.arange(samples.size) * 10 + 1000
    samples["trigger"] = np.arange(samples.size) % PULL_EVERY == PULL_EVERY - 1
    return samples


async def play(master: int, samples: SampleArray) -> dict[int, int]:
    """Write a frame every 10 ms; return when each sample with a pull was written, by its time on the device's clock."""
    written: dict[int, int] = {}
    loop = asyncio.get_running_loop()
    start = loop.time()
    for i in range(samples.size):
        await asyncio.sleep(max(0.0, start + i / 100 - loop.time()))
        frame = encode_frames(samples[i : i + 1], i)
        if samples["trigger"][i]:
            written[int(samples["timestamp_ms"][i])] = time.monotonic_ns()
        os.write(master, frame)
    await asyncio.sleep(0.5)
    return written


@asynccontextmanager
async def received(port: int) -> AsyncIterator[dict[int, int]]:
    """Subscribe, and yield a mapping that fills: when each shot arrived, by its time on the device's clock."""
    arrived: dict[int, int] = {}
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("stinger/+/shot", qos=1)

        async def listen() -> None:
            async for message in client.messages:
                now = time.monotonic_ns()
                assert isinstance(message.payload, bytes)
                arrived[json.loads(message.payload)["device_ms"]] = now

        listening = asyncio.create_task(listen())
        try:
            yield arrived
        finally:
            listening.cancel()
            await asyncio.wait([listening])


class Floor(asyncio.Protocol):
    """Reads frames and puts each pull on a queue at once."""

    def __init__(self, pulls: asyncio.Queue[int]) -> None:
        self._decoder = FrameDecoder()
        self._pulls = pulls

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        for sample in self._decoder.feed(data).samples:
            if sample["trigger"]:
                self._pulls.put_nowait(int(sample["timestamp_ms"]))


async def floor(port: int, path: str) -> None:
    """Run the minimal process that the daemon is compared with, also as a process of its own."""
    pulls: asyncio.Queue[int] = asyncio.Queue()
    nodelay = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    async with aiomqtt.Client("127.0.0.1", port, socket_options=nodelay) as client:
        await serial_asyncio_fast.create_serial_connection(asyncio.get_running_loop(), lambda: Floor(pulls), path)
        while True:
            device_ms = await pulls.get()
            await client.publish("stinger/floor/shot", json.dumps({"device_ms": device_ms}), qos=1)


async def measure(
    port: int, samples: SampleArray, command: list[str]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    """Return the latencies in ms, and the CPU seconds that the process took."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *[part.replace("PTY", path) for part in command], stdout=null, stderr=null
    )
    try:
        async with received(port) as arrived:
            await asyncio.sleep(3)
            written = await play(master, samples)
    finally:
        process.terminate()
        await process.wait()
        os.close(master)
        os.close(slave)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    missing = len(written.keys() - arrived.keys())
    if missing:
        print(f"  {missing} of {len(written)} shots did not arrive")
    latencies = [(arrived[device_ms] - at) / 1e6 for device_ms, at in written.items() if device_ms in arrived]
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return np.array(latencies), cpu_s


async def main(seconds: int) -> None:
    samples = session(seconds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder / "mosquitto")
        broker.start()
        try:
            python = [sys.executable, "-m"]
            url = f"mqtt://127.0.0.1:{broker.port}"
            daemon = ["stinger", "run", "--source", "serial://PTY?device=b", "--broker", url]
            ways = {
                "floor": [*python, "benchmarks.daemon_latency", "floor", str(broker.port), "PTY"],
                "daemon": [*python, *daemon, "--data-dir", str(folder / "data")],
            }
            print(f"write of a sample to its shot at a subscriber, ms; {ROUNDS} rounds of {seconds} s in turn")
            taken: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(ROUNDS):
                for way, command in ways.items():
                    latencies, cpu_s = await measure(broker.port, samples, command)
                    taken[way] += latencies.tolist()
                    p50, p99 = np.percentile(latencies, (50, 99))
                    print(f"  {way:<8} p50 {p50:6.2f}  p99 {p99:6.2f}  max {latencies.max():6.2f}  cpu {cpu_s:5.2f} s")
            p50s = {way: float(np.percentile(values, 50)) for way, values in taken.items()}
            p99s = {way: float(np.percentile(values, 99)) for way, values in taken.items()}
            for way in ways:
                print(f"all {way:<8} p50 {p50s[way]:6.2f}  p99 {p99s[way]:6.2f}  ({len(taken[way])} shots)")
            print(
                f"daemon / floor: p50 x{p50s['daemon'] / p50s['floor']:.2f}, p99 x{p99s['daemon'] / p99s['floor']:.2f}"
            )
        finally:
            broker.kill()


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "floor":
        asyncio.run(floor(int(sys.argv[2]), sys.argv[3]))
    else:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
