"""Measures the latency from a byte at the port to a block at the intake.

The throughput of recordings and messages is measured as well. A blaster in a process of its own writes frames to a
pty at 100 and at 1600 Hz. The latency of a sample is from just before its write to the call of ``put``. The floor is the same
bytes read through the same serial library and discarded.

Run: python -m benchmarks.sources [seconds].
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.sharedctypes import SynchronizedArray
from pathlib import Path
from typing import Any

import numpy as np

from service.base.source import Block, LinkReport, LinkState
from service.sources.link_reader import LinkReader
from service.sources.mqtt_devices import MqttDevices, ReceivedMessage
from service.sources.replay_source import ReplaySource
from service.sources.serial_source import SerialSource
from service.sources.serial_transport import open_port
from stinger.device_name import DeviceName
from stinger.logs import write_log
from stinger.sample import make_samples
from stinger.wire.frames import encode_frames
from stinger.wire.sample_messages import SampleMessage, encode_message

FRAME_BYTES = 24


def list_of(stamps: SynchronizedArray[int]) -> Any:
    """Return the shared numbers without their lock: each is written before the bytes that cause its reading."""
    return stamps.get_obj()


class Measuring:
    """An intake that records the latency of each sample."""

    def __init__(self, stamps: SynchronizedArray[int]) -> None:
        self.took_us: list[float] = []
        self._stamps = list_of(stamps)

    async def put(self, block: Block) -> None:
        """Accept a block."""
        now_ns = time.monotonic_ns()
        self.took_us += [(now_ns - self._stamps[index]) / 1e3 for index in block.samples["ax"].tolist()]

    def link(self, report: LinkReport) -> None:
        """Ignore link reports."""


class Floor(LinkReader):
    """Reads the same bytes directly from the serial library."""

    def __init__(self, stamps: SynchronizedArray[int]) -> None:
        super().__init__()
        self.took_us: list[float] = []
        self._stamps = list_of(stamps)
        self._frames = 0

    def data_received(self, data: bytes) -> None:
        """Record when every frame arrived, and discard it."""
        now_ns = time.monotonic_ns()
        first, self._frames = self._frames, self._frames + len(data) // FRAME_BYTES
        self.took_us += [(now_ns - self._stamps[index]) / 1e3 for index in range(first, self._frames)]


def blaster(master: int, rate_hz: int, count: int, stamps: SynchronizedArray[int]) -> None:
    """Write one frame per sample, each at its time; ``ax`` is the number of the sample."""
    channels = np.zeros((count, 6), dtype=np.int16)
    channels[:, 0] = np.arange(count)
    data = encode_frames(make_samples(np.arange(count) * 1000 // rate_hz, channels, np.zeros(count)), 0)
    times = list_of(stamps)
    start = time.monotonic() + 0.3  # until the port is open
    for i in range(count):
        time.sleep(max(0.0, start + i / rate_hz - time.monotonic()))
        times[i] = time.monotonic_ns()
        os.write(master, data[i * FRAME_BYTES : (i + 1) * FRAME_BYTES])
    time.sleep(0.2)


async def over_pty(rate_hz: int, seconds: float, *, floor: bool) -> None:
    count = int(rate_hz * seconds)
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    context = multiprocessing.get_context("fork")
    stamps = context.Array("q", count)
    process = context.Process(target=blaster, args=(master, rate_hz, count, stamps))
    process.start()
    cpu_s = time.process_time()
    if floor:
        reader = Floor(stamps)
        transport = await open_port(path, 115_200, reader)
        await asyncio.to_thread(process.join)
        took_us = reader.took_us
        transport.abort()
        await reader.closed.wait()
    else:
        intake = Measuring(stamps)
        task = asyncio.create_task(SerialSource("", DeviceName("x"), path).run(intake))
        await asyncio.to_thread(process.join)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        took_us = intake.took_us
    cpu_s = time.process_time() - cpu_s
    os.close(master)
    os.close(slave)
    p50, p99 = np.percentile(took_us, [50, 99])
    print(
        f"  {rate_hz:5d} Hz {'the library alone' if floor else 'source':18}  p50 {p50:6.0f} us   p99 {p99:6.0f} us"
        f"   worst {max(took_us):7.0f} us   {cpu_s / seconds:6.2%} of a core   {len(took_us):,} samples"
    )


class Dropping:
    """An intake that counts samples."""

    samples = 0

    async def put(self, block: Block) -> None:
        """Accept a block."""
        self.samples += block.samples.shape[0]

    def link(self, report: LinkReport) -> None:
        """Check the state of the link."""
        assert report.state in {LinkState.STREAMING, LinkState.ENDED}


def replay(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.bin"
        rng = np.random.default_rng(1)
        write_log(path, make_samples(np.arange(count) * 10, rng.integers(-1000, 1000, (count, 6)), np.zeros(count)))
        intake = Dropping()
        seconds = _seconds(lambda: asyncio.run(ReplaySource("", DeviceName("x"), path, speed=0).run(intake)))
    assert intake.samples == count
    print(
        f"  {count:,} samples from a .bin: {count / seconds / 1e6:.1f} million samples a second, reading the file included"
    )


def messages(devices: int, rounds: int, samples: int) -> None:
    received, intake, taken = MqttDevices("stinger", 2.0), Dropping(), 0
    payloads = [
        encode_message(
            SampleMessage(
                i * samples,
                make_samples((np.arange(samples) + i * samples) * 10, np.zeros((samples, 6)), np.zeros(samples)),
            )
        )
        for i in range(rounds)
    ]

    def receive_all() -> None:
        nonlocal taken
        for i, payload in enumerate(payloads):
            for device in range(devices):
                for block in received.receive(
                    ReceivedMessage(f"stinger/d{device}/samples", payload, i * 200_000_000 + device), intake
                ):
                    taken += block.samples.shape[0]

    seconds = _seconds(receive_all)
    assert taken == devices * rounds * samples
    print(f"  {devices:,} devices, {samples} samples a message: {seconds / devices / rounds * 1e6:.1f} us a message")


def _seconds(way: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    way()
    return time.perf_counter() - begin


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    print("From a write to a pty to the intake")
    for rate_hz in (100, 1600):
        for floor in (True, False):
            asyncio.run(over_pty(rate_hz, seconds, floor=floor))
    print("Replay at speed 0")
    replay(2_000_000)
    print("Messages of blasters, decoded and dated")
    messages(1000, 20, 20)


if __name__ == "__main__":
    main()
