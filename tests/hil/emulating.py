"""An emulated device in the test's own loop, and hosts that know nothing of it but its address."""

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

PATIENCE_S = 10.0
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
    """A device that plays ``samples`` from when a host asks for them, unless ``options`` say otherwise."""
    played = samples if isinstance(samples, Iterator) else play_recordings(split_recordings(samples))
    alarm = WakeupTimer()
    device = EmulatedDevice(
        port or PtyPort(),
        played,
        blaster=blaster,
        plan=DeviceFaults(map(parse_fault, faults), seed="test"),
        options=DeviceOptions(**{"wait": True, **options}),
        alarm=alarm,
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
        alarm.close()


class Host:
    """Someone at the other end, with nothing but a descriptor; every wait is bounded."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._read = b""

    def write(self, data: bytes) -> None:
        while data:
            _, ready, _ = select.select([], [self._descriptor], [], PATIENCE_S)
            assert ready, "the device takes nothing"
            data = data[os.write(self._descriptor, data) :]

    def some(self, patience_s: float = PATIENCE_S) -> bytes:
        """What has come, b"" if nothing does in time or the device is gone."""
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
        """Everything up to the next line's end, without it."""
        data = b""
        while not data.endswith(b"\n"):
            data += self.exactly(1)
        return data.rstrip(b"\r\n")

    def ask(self, command: bytes) -> bytes:
        self.write(command + b"\n")
        return self.line()

    def during(self, seconds: float) -> bytes:
        """All that comes in so many seconds."""
        data, end = b"", time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            data += self.some(left)
        return data

    def stream(self, count: int, seconds: float = PATIENCE_S) -> tuple[SampleStream, list[SampleArray]]:
        """Ask for samples, and read until ``count`` have come or time is up."""
        stream, end = SampleStream(), time.monotonic() + seconds
        blocks: list[SampleArray] = []
        self.write(SampleStream.start())
        while sum(block.shape[0] for block in blocks) < count and (left := end - time.monotonic()) > 0:
            blocks.append(stream.feed(self.some(left)))
        return stream, blocks


@contextmanager
def serial_host(path: str) -> Iterator[Host]:
    """As a program opens a serial port."""
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
    """The log, as public tools fetch it: the header's line, the bytes, the trailer."""
    host.write(b"MLDUMP\n")
    word, _, size = host.line().partition(b" ")
    assert word == b"MLDUMP1"
    log = host.exactly(int(size))
    assert host.line() == b""
    assert host.line() == b"MLDUMP_DONE"
    return log


def upload(host: Host, slot: bytes, data: bytes) -> bytes:
    """A model on its way to the device, as public tools send it: in chunks of 512 bytes. The last answer."""
    answer = host.ask(b"MLMODEL_PUT%s %d %08x" % (slot, len(data), zlib.crc32(data)))
    if answer != b"[ml] MLMODEL_READY":
        return answer
    for start in range(0, len(data), 512):
        host.write(data[start : start + 512])
    return host.line()
