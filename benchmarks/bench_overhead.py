"""Measures how much the bench adds to latencies: its observer compared with a subscriber on a bare socket.

Both receive the same messages of one daemon that scores an emulated blaster; the socket's stamps are as early as Python
allows. The difference is the observer's share of the latency that a scenario measures.

Run: python -m benchmarks.bench_overhead [seconds]
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from hil.bench.broker import BROKER_READY, LOOPBACK, free_port, mosquitto_process
from hil.bench.daemon import DaemonOptions, DaemonUnderTest
from hil.bench.device_under_test import EmulatorOptions, EmulatorProcess
from hil.bench.observer import MessageObserver
from hil.bench.processes import stinger_command
from hil.bench.workload import make_workload

ROUNDS = 3


class BareSubscriber(threading.Thread):
    """Stamps the bytes of each read, and parses the packets afterwards."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._link = socket.create_connection((LOOPBACK, port))
        self._link.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04bare")
        self._link.recv(4)
        topic = b"stinger/d0/scores"
        body = b"\x00\x01" + len(topic).to_bytes(2, "big") + topic + b"\x00"
        self._link.sendall(b"\x82" + bytes([len(body)]) + body)
        self._link.recv(5)
        self._reads: list[tuple[int, bytes]] = []

    def run(self) -> None:
        """Read until the connection is closed."""
        while data := self._link.recv(65_536):
            self._reads.append((time.monotonic_ns(), data))

    def close(self) -> None:
        """Close the connection."""
        self._link.shutdown(socket.SHUT_RDWR)
        self.join(5)
        self._link.close()

    def arrival_times(self) -> dict[int, int]:
        """Return when each score arrived (ns), by the sample's time on the device's clock (ms)."""
        found, rest = {}, b""
        for at_ns, data in self._reads:
            rest += data
            while packet := _packet(rest):
                payload, size = packet
                found[int(json.loads(payload)["first_device_ms"])] = at_ns
                rest = rest[size:]
        return found


def _packet(data: bytes) -> tuple[bytes, int] | None:
    """Return the payload of the PUBLISH (QoS 0) at the start of ``data``, and the size of the packet; ``None`` if cut."""
    length, shift = 0, 0
    for at, byte in enumerate(data[1:5], start=1):
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            size = at + 1 + length
            topic = int.from_bytes(data[at + 1 : at + 3], "big")
            return (data[at + 3 + topic : size], size) if len(data) >= size else None
    return None


async def measure(folder: Path, seconds: float) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    """Return by how many microseconds the observer stamped each message later, and its median latency in microseconds."""
    port = free_port()
    async with mosquitto_process(folder / "mosquitto", port) as broker:
        await broker.wait_for(BROKER_READY)
        emulator = EmulatorOptions(
            samples=make_workload("synthetic", seconds, seed=1, shots=True), count=1, link="pty", threshold=0.5
        )
        dut = EmulatorProcess(emulator, folder)
        source = f"{dut.sources()[0]}?device=d0"
        daemon = DaemonUnderTest(
            DaemonOptions(
                command=stinger_command("run"),
                sources=[source],
                broker=f"mqtt://{LOOPBACK}:{port}",
                data_dir=folder / "data",
            ),
            folder,
        )
        bare = BareSubscriber(port)
        bare.start()
        try:
            async with MessageObserver(LOOPBACK, port, "observer") as observer:
                await dut.start()
                await daemon.start()
                await asyncio.sleep(seconds + 1)
                await daemon.stop()
                messages = [each for each in observer.messages() if each.topic == "stinger/d0/scores"]
        finally:
            daemon.process.kill()
            await dut.stop()
            bare.close()
    (journal,) = dut.journals()
    assert journal is not None
    written = dict(zip(journal["sample"]["timestamp_ms"].tolist(), journal["written_ns"].tolist(), strict=True))
    arrival_ns, later_us, latency_us = bare.arrival_times(), [], []
    for message in messages:
        device_ms = int(json.loads(message.payload)["first_device_ms"])
        later_us.append((message.at_ns - arrival_ns[device_ms]) / 1000)
        latency_us.append((message.at_ns - written[device_ms]) / 1000)
    return np.array(later_us), float(np.median(latency_us))


def main(seconds: float) -> None:
    print(f"how much later the observer stamps messages than a bare socket; {ROUNDS} rounds of {seconds:g} s")
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as name:
            later_us, latency_us = asyncio.run(measure(Path(name), seconds))
        p50, p99 = np.percentile(later_us, (50, 99))
        print(
            f"  {later_us.size} messages: p50 {p50:.0f} us, p99 {p99:.0f} us; latency p50 {latency_us:.0f} us: "
            f"the observer's share is {100 * p50 / latency_us:.1f} %"
        )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
