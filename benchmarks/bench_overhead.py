"""What the bench adds to what it measures: its observer beside a subscriber that is nothing but a socket.

Both hear the same messages of one daemon that scores an emulated blaster; the socket's stamps are as early as Python can
have them. The difference is the observer's share, and stands beside the latency that a scenario measures.

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

from hil.bench.broker import LOOPBACK, free_port, mosquitto_process
from hil.bench.daemon import DaemonOptions, DaemonUnderTest
from hil.bench.device_under_test import EmulatorOptions, EmulatorProcess
from hil.bench.observer import MessageObserver
from hil.bench.processes import stinger_command
from hil.bench.testbed import BROKER_READY
from hil.bench.workload import make_workload

ROUNDS = 3


class BareSubscriber(threading.Thread):
    """Stamps what each read brings, and takes the packets apart only afterwards."""

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
        """Read until closed."""
        while data := self._link.recv(65_536):
            self._reads.append((time.monotonic_ns(), data))

    def close(self) -> None:
        """Read no more."""
        self._link.shutdown(socket.SHUT_RDWR)
        self.join(5)
        self._link.close()

    def came(self) -> dict[int, int]:
        """When each score came, by the sample's time on the device's clock."""
        found, rest = {}, b""
        for at_ns, data in self._reads:
            rest += data
            while packet := _packet(rest):
                payload, size = packet
                found[int(json.loads(payload)["first_device_ms"])] = at_ns
                rest = rest[size:]
        return found


def _packet(data: bytes) -> tuple[bytes, int] | None:
    """The payload of the PUBLISH (QoS 0) that ``data`` begins with, and the size of all of it."""
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
    """By how many microseconds the observer was later with each message, and the latency that it measured."""
    port = free_port()
    async with mosquitto_process(folder / "mosquitto", port) as broker:
        await broker.wait_for(BROKER_READY)
        setup = EmulatorOptions(
            samples=make_workload("synthetic", seconds, seed=1, shots=True), count=1, link="pty", threshold=0.5
        )
        dut = EmulatorProcess(setup, folder)
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
                await daemon.end()
                heard = [each for each in observer.heard() if each.topic == "stinger/d0/scores"]
        finally:
            daemon.child.kill()
            await dut.stop()
            bare.close()
    (journal,) = dut.journals()
    assert journal is not None
    written = dict(zip(journal["sample"]["timestamp_ms"].tolist(), journal["written_ns"].tolist(), strict=True))
    came, later_us, latency_us = bare.came(), [], []
    for message in heard:
        device_ms = int(json.loads(message.payload)["first_device_ms"])
        later_us.append((message.at_ns - came[device_ms]) / 1000)
        latency_us.append((message.at_ns - written[device_ms]) / 1000)
    return np.array(later_us), float(np.median(latency_us))


def main(seconds: float) -> None:
    print(
        f"the observer's stamp after that of a bare socket, and the latency measured; {ROUNDS} rounds of {seconds:g} s"
    )
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as name:
            later_us, latency_us = asyncio.run(measure(Path(name), seconds))
        p50, p99 = np.percentile(later_us, (50, 99))
        print(
            f"  {later_us.size} messages: later by p50 {p50:.0f} us, p99 {p99:.0f} us; latency p50 {latency_us:.0f} us: "
            f"the observer's share is {100 * p50 / latency_us:.1f} %"
        )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
