"""The blaster's end of real ptys and real sockets."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

from stinger.wire.device import DeviceLink
from tests.helpers.patience import PATIENCE_S
from tests.stinger.wire.test_device import Shelf


class End(Protocol):
    """The blaster's end of a link: the bytes received so far, and a way to send."""

    received: bytes

    def write(self, data: bytes) -> None: ...

    async def wait_for(self, text: bytes) -> None: ...


class PtyEnd:
    """A pty with a symbolic link of its own, like a plugged-in port. ``unplug`` removes both."""

    def __init__(self, link: Path) -> None:
        self.received = b""
        self._unsent = b""
        self._link = link
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self._path = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        self._open = True
        link.symlink_to(self._path)
        self._changed = asyncio.Event()
        self._poll: asyncio.Task[None] = asyncio.create_task(self._read())

    def write(self, data: bytes) -> None:
        self._unsent += data
        self._send()

    def _send(self) -> None:
        with suppress(BlockingIOError):  # the reader is too slow: the rest is sent later
            while self._unsent:
                self._unsent = self._unsent[os.write(self._master, self._unsent) :]

    async def wait_for(self, text: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while text not in self.received:
                self._changed.clear()
                await self._changed.wait()

    async def unplug(self) -> None:
        if self._open:
            self._open = False
            self._poll.cancel()
            with suppress(asyncio.CancelledError):
                await self._poll
            self._link.unlink()
            os.close(self._master)

    async def _read(self) -> None:
        # While the slave is not open, the master is always readable and reading fails, so it is polled.
        while True:
            with suppress(OSError):
                self.received += os.read(self._master, 4096)
                self._changed.set()
            self._send()
            await asyncio.sleep(0.001)


class SocketEnd(asyncio.Protocol):
    """One accepted connection."""

    def __init__(self, accepted: Callable[[SocketEnd], None]) -> None:
        self.received = b""
        self.transport: asyncio.Transport | None = None
        self._accepted = accepted
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._accepted(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._changed.set()

    def write(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    async def wait_for(self, text: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while text not in self.received:
                self._changed.clear()
                await self._changed.wait()

    def hang_up(self) -> None:
        assert self.transport is not None
        self.transport.abort()


class Server:
    """A server on loopback: its ``port``, and the accepted connections."""

    def __init__(self) -> None:
        self.port = 0
        self.ends: list[SocketEnd] = []
        self._accepted: asyncio.Queue[SocketEnd] = asyncio.Queue()

    def accept(self, end: SocketEnd) -> None:
        self.ends.append(end)
        self._accepted.put_nowait(end)

    async def next(self) -> SocketEnd:
        async with asyncio.timeout(PATIENCE_S):
            return await self._accepted.get()


@asynccontextmanager
async def listening(port: int = 0) -> AsyncIterator[Server]:
    accepted = Server()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SocketEnd(accepted.accept), "127.0.0.1", port)
    accepted.port = server.sockets[0].getsockname()[1]
    try:
        yield accepted
    finally:
        server.close()
        for end in accepted.ends:
            end.hang_up()
        await server.wait_closed()
        await asyncio.sleep(0)


@asynccontextmanager
async def plugged_in(link: Path) -> AsyncIterator[PtyEnd]:
    end = PtyEnd(link)
    try:
        yield end
    finally:
        await end.unplug()


async def answer(end: End) -> DeviceLink:
    """Answer a request for samples as a blaster does; the returned link encodes samples."""
    link = DeviceLink(Shelf())
    await end.wait_for(b"MLSTREAM 100\n")
    end.write(b"[ml] filesystem ready\r\n" + link.receive(end.received, 0.0))
    return link
