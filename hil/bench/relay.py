"""A TCP port that leads to another, and on which the way can be slow, refused, or half gone."""

from __future__ import annotations

import asyncio
import socket
from enum import Enum
from types import TracebackType
from typing import Final, Self

from hil.bench.broker import LOOPBACK

_READ_BYTES: Final = 65_536


class Way(Enum):
    """How a relay treats what comes."""

    OPEN = "open"
    REFUSED = "refused"
    """Connections are closed as soon as they are made."""


class TcpRelay:
    """Listens on ``port`` of the loopback while it is entered; each connection is carried to ``(host, to_port)``."""

    def __init__(self, host: str, to_port: int) -> None:
        self.port = 0
        """Where it listens; known once entered."""
        self.delay_s = 0.0
        """By how much later everything comes, each way."""
        self.way = Way.OPEN
        self._far = (host, to_port)
        self._server: asyncio.Server | None = None
        self._pairs: dict[asyncio.Task[None], _Pair] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._pairs:
            task.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    def refuse(self) -> None:
        """Close every connection, and each new one at once."""
        self.way = Way.REFUSED
        for pair in self._pairs.values():
            pair.close()

    def allow(self) -> None:
        """Let connections through again."""
        self.way = Way.OPEN

    def leave_half_open(self) -> None:
        """End every connection on the far side, and say nothing of it on the near one."""
        for pair in self._pairs.values():
            pair.forget_far()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self.way is Way.REFUSED:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._far)
        except OSError:
            writer.transport.abort()
            return
        pair = self._pairs[task] = _Pair(writer, far_writer)
        try:
            await asyncio.gather(self._carry(reader, far_writer, pair), self._carry(far_reader, writer, pair))
        except asyncio.CancelledError:
            # The relay ends. Before Python 3.12, asyncio's streams print a traceback for a cancelled connection.
            pass
        finally:
            del self._pairs[task]
            pair.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: _Pair) -> None:
        _send_at_once(writer)
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def pass_on() -> None:
            while True:
                due_s, data = await waiting.get()
                await asyncio.sleep(max(0.0, due_s - loop.time()))
                if not data:
                    break
                if not pair.half_open:
                    writer.write(data)
            if not pair.half_open:
                pair.close()

        passing = asyncio.create_task(pass_on(), name="relay")
        try:
            data = b"?"
            while data:
                try:
                    data = await reader.read(_READ_BYTES)
                except OSError:
                    data = b""
                waiting.put_nowait((loop.time() + self.delay_s, data))
            await passing
            if pair.half_open:
                await asyncio.Event().wait()  # whoever is left waits as well, until the relay ends
        finally:
            passing.cancel()


class _Pair:
    """The two ends of one connection."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.half_open = False
        self._near, self._far = near, far

    def close(self) -> None:
        self._near.transport.abort()
        self._far.transport.abort()

    def forget_far(self) -> None:
        self.half_open = True
        self._far.close()


def _send_at_once(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
