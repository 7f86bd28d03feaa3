"""An emulated device in the test's event loop, and hosts that only know its address."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from hil.emulated import (
    DeviceFaults,
    DeviceOptions,
    EmulatedBlaster,
    EmulatedDevice,
    PlaybackBlock,
    Port,
    PtyPort,
    WakeupTimer,
    parse_fault,
    play_recordings,
)
from models.synthetic import synthesise
from stinger.recording import split_recordings
from stinger.sample import SampleArray
from stinger.wire.stream import SampleStream
from tests.helpers.patience import PATIENCE_S

SESSION = synthesise(minutes=0.2, seed=9, still_pause=False)
"""1,200 samples, 12 s."""


@asynccontextmanager
async def emulated(
    samples: SampleArray | Iterator[PlaybackBlock],
    *,
    port: Port | None = None,
    faults: Iterable[str] = (),
    blaster: EmulatedBlaster | None = None,
    **options: Any,
) -> AsyncIterator[EmulatedDevice]:
    """Run a device that plays ``samples`` once a host requests them, unless ``options`` say otherwise."""
    blocks = samples if isinstance(samples, Iterator) else play_recordings(split_recordings(samples))
    timer = WakeupTimer()
    device = EmulatedDevice(
        port or PtyPort(),
        blocks,
        blaster=blaster,
        faults=DeviceFaults(map(parse_fault, faults), seed="test"),
        options=DeviceOptions(**{"wait": True, **options}),
        timer=timer,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(device.run())
            await device.ready.wait()
            try:
                yield device
            finally:
                running.cancel()
    finally:
        timer.close()


class Host:
    """A host with nothing but a file descriptor; every wait has a timeout."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._read = b""

    def write(self, data: bytes) -> None:
        while data:
            _, ready, _ = select.select([], [self._descriptor], [], PATIENCE_S)
            assert ready, "the device accepts no data"
            data = data[os.write(self._descriptor, data) :]

    def some(self, patience_s: float = PATIENCE_S) -> bytes:
        """Return what has arrived; b"" if nothing arrives in time, or the device is gone."""
        kept, self._read = self._read, b""
        if kept:
            return kept
        ready, _, _ = select.select([self._descriptor], [], [], patience_s)
        try:
            return os.read(self._descriptor, 65_536) if ready else b""
        except OSError:
            return b""

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.some()
            assert more, f"{count - len(data)} bytes are missing after {data[-80:]!r}"
            data += more
        data, self._read = data[:count], data[count:]
        return data

    def line(self) -> bytes:
        """Return the bytes up to the next line end, without it."""
        data = b""
        while not data.endswith(b"\n"):
            data += self.exactly(1)
        return data.rstrip(b"\r\n")

    def ask(self, command: bytes) -> bytes:
        self.write(command + b"\n")
        return self.line()

    def during(self, seconds: float) -> bytes:
        """Return everything that arrives within ``seconds``."""
        data, end = b"", time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            data += self.some(left)
        return data

    def stream(self, count: int, seconds: float = PATIENCE_S) -> tuple[SampleStream, list[SampleArray]]:
        """Request samples, and read until ``count`` have arrived or ``seconds`` have passed."""
        stream, end = SampleStream(), time.monotonic() + seconds
        blocks: list[SampleArray] = []
        self.write(SampleStream.start())
        while sum(block.shape[0] for block in blocks) < count and (left := end - time.monotonic()) > 0:
            blocks.append(stream.feed(self.some(left)))
        return stream, blocks


@contextmanager
def serial_host(path: str) -> Iterator[Host]:
    """Open a serial port as a program does."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        yield Host(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def tcp_host(address: str) -> Iterator[Host]:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        yield Host(connection.fileno())


def dump(host: Host) -> bytes:
    """Fetch the log as public tools do: header line, bytes, trailer."""
    host.write(b"MLDUMP\n")
    word, _, size = host.line().partition(b" ")
    assert word == b"MLDUMP1"
    log = host.exactly(int(size))
    assert host.line() == b""
    assert host.line() == b"MLDUMP_DONE"
    return log


def upload(host: Host, slot: bytes, data: bytes) -> bytes:
    """Upload a model as public tools do, in chunks of 512 bytes, and return the last answer."""
    answer = host.ask(b"MLMODEL_PUT%s %d %08x" % (slot, len(data), zlib.crc32(data)))
    if answer != b"[ml] MLMODEL_READY":
        return answer
    for start in range(0, len(data), 512):
        host.write(data[start : start + 512])
    return host.line()
