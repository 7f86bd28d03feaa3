"""What an MQTT client costs, by client.

A message of samples taken in, an event published, and the rates that it holds. Run: python -m
benchmarks.inbound_samples [--rates 5000 10000 ...] [--rounds 3]. The load comes from another process on the same
machine, through mosquitto. The clients take turns at each rate, each in a process of its own, so that what else the
machine does meets them all; medians of the rounds are shown. A rate is held if nothing is lost and 99 of 100 messages
are taken in within a second of being sent.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import struct
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.mqtt_clients import Publish, installed_clients
from tests.helpers.brokers import Mosquitto, until

SAMPLE_BYTES = 17
SAMPLES = 20
SECONDS = 3
DEVICES = 200
RATES = (5_000, 10_000, 20_000, 30_000)
SINGLE_EVENTS = 400
BACKLOG = 3000
IN_FLIGHT = 16
EVENT = bytes(200)


@dataclass(frozen=True, slots=True)
class Inbound:
    """How a client took in one rate."""

    lost: int
    age_p50_ms: float
    age_p99_ms: float
    processor_us: float
    """Processor time of the client's process for each message."""

    @property
    def held(self) -> bool:
        """Whether everything arrived, nearly all of it soon."""
        return self.lost == 0 and self.age_p99_ms < 1000


@dataclass(frozen=True, slots=True)
class Outbound:
    """What publishing at QoS 1 cost."""

    acknowledged_us: float
    """From publishing a single message to its acknowledgement, median."""
    processor_us: float
    """Processor time for each message of a backlog, 16 in flight."""


def publish_bytes(topic: bytes, payload: bytes) -> bytes:
    """Return a PUBLISH of MQTT 3.1.1 at QoS 0."""
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
            link.sendall(b"".join(publish_bytes(topics[n % DEVICES], stamp + rest) for n in range(sent, due)))
            sent = due
            time.sleep(0.005)
        time.sleep(0.2)


async def measure_inbound(name: str, port: int, rate: int) -> Inbound:
    """Take in ``rate`` messages a second for three seconds."""
    ages: list[int] = []

    def take(payload: bytes) -> None:
        ages.append(time.monotonic_ns() - struct.unpack_from("<q", payload)[0])

    async with installed_clients()[name](port, take):
        load = multiprocessing.get_context("spawn").Process(target=generate, args=(port, rate))
        load.start()
        await until(lambda: bool(ages))
        began, before = time.process_time(), len(ages)
        with suppress(TimeoutError):
            await until(lambda: len(ages) == rate * SECONDS)
        used = time.process_time() - began
        load.join(20)
    p50, p99 = np.percentile(np.array(ages) / 1e6, [50, 99])
    return Inbound(rate * SECONDS - len(ages), p50, p99, used / max(1, len(ages) - before) * 1e6)


async def measure_outbound(name: str, port: int) -> Outbound | None:
    """Publish events one at a time, then a backlog; None if the client only receives."""
    async with installed_clients()[name](port, lambda _payload: None) as publish:
        if publish is None:
            return None
        took = [await _acknowledged_after(publish) for _ in range(SINGLE_EVENTS)]
        return Outbound(median(took) * 1e6, await _backlog(publish) * 1e6)


async def _acknowledged_after(publish: Publish) -> float:
    acknowledged = asyncio.Event()
    began = time.perf_counter()
    publish("bench/event", EVENT, acknowledged.set)
    await acknowledged.wait()
    return time.perf_counter() - began


async def _backlog(publish: Publish) -> float:
    """Return the processor seconds for each message."""
    in_flight = asyncio.Semaphore(IN_FLIGHT)
    began = time.process_time()
    for _ in range(BACKLOG):
        await in_flight.acquire()
        publish("bench/event", EVENT, in_flight.release)
    for _ in range(IN_FLIGHT):
        await in_flight.acquire()
    return (time.process_time() - began) / BACKLOG


def run_inbound(name: str, port: int, rate: int) -> Inbound:
    return asyncio.run(measure_inbound(name, port, rate))


def run_outbound(name: str, port: int) -> Outbound | None:
    return asyncio.run(measure_outbound(name, port))


def show_inbound(name: str, rate: int, results: list[Inbound]) -> None:
    lost = max(result.lost for result in results)
    p50, p99 = median(r.age_p50_ms for r in results), median(r.age_p99_ms for r in results)
    breaks = "" if all(result.held for result in results) else "   <- breaks"
    print(
        f"  {name:<22}{rate:>8,} /s   lost {lost:>7,}   age p50 {p50:8.1f} ms  p99 {p99:8.1f} ms"
        f"   {median(r.processor_us for r in results):5.1f} us of processor each{breaks}"
    )


def compare_outbound(pool: ProcessPoolExecutor, names: list[str], port: int, rounds: int) -> None:
    print(f"An event of {len(EVENT)} bytes published at QoS 1")
    results: dict[str, list[Outbound]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            result = pool.submit(run_outbound, name, port).result()
            if result is not None:
                results[name].append(result)
    for name, measured in results.items():
        if measured:
            print(
                f"  {name:<24}one to its acknowledgement {median(r.acknowledged_us for r in measured):6.1f} us"
                f"   backlog {median(r.processor_us for r in measured):5.1f} us of processor each"
            )


def compare_inbound(pool: ProcessPoolExecutor, names: list[str], port: int, arguments: argparse.Namespace) -> None:
    print(f"Messages of {SAMPLES} samples, {SECONDS} s at each rate")
    for rate in arguments.rates:
        results: dict[str, list[Inbound]] = {name: [] for name in names}
        for _ in range(arguments.rounds):
            for name in names:
                results[name].append(pool.submit(run_inbound, name, port, rate).result())
        for name, measured in results.items():
            show_inbound(name, rate, measured)
        names = [name for name in names if all(result.held for result in results[name])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, nargs="*", default=RATES)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    names = list(installed_clients())
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(Path(folder))
        broker.start()
        try:
            # A new process for each measurement.
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
                compare_outbound(pool, names, broker.port, arguments.rounds)
                compare_inbound(pool, names, broker.port, arguments)
        finally:
            broker.kill()


if __name__ == "__main__":
    main()
