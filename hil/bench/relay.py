"""A TCP relay that can delay traffic, refuse connections, or leave them half open."""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType
from typing import Final, Self

from hil.bench.broker import LOOPBACK

_READ_BYTES: Final = 65_536


class TcpRelay:
    """Listens on a port of the loopback while entered, and relays each connection to ``(host, target_port)``."""

    def __init__(self, host: str, target_port: int) -> None:
        self.port = 0
        """The port it listens on; known once entered."""
        self.delay_s = 0.0
        """How much later all data is passed on, in each direction."""
        self._refusing = False
        self._target = (host, target_port)
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], _Connection] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def refuse(self) -> None:
        """Close every connection, and from now on each new one at once."""
        self._refusing = True
        for connection in self._connections.values():
            connection.close()

    def accept(self) -> None:
        """Accept connections again."""
        self._refusing = False

    def leave_half_open(self) -> None:
        """Close every connection to the target, without closing the client's side."""
        for connection in self._connections.values():
            connection.close_target()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._refusing:
            writer.transport.abort()
            return
        try:
            target_reader, target_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        connection = self._connections[task] = _Connection(writer, target_writer)
        try:
            await asyncio.gather(
                self._relay(reader, target_writer, connection), self._relay(target_reader, writer, connection)
            )
        except asyncio.CancelledError:
            # The relay is being closed. Before Python 3.12, asyncio's streams print a traceback for a cancelled
            # connection.
            pass
        finally:
            del self._connections[task]
            connection.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: _Connection) -> None:
        """Pass data from ``reader`` to ``writer``, until one side closes."""
        _disable_nagle(writer)
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def write_when_due() -> None:
            while True:
                due_s, data = await queue.get()
                await asyncio.sleep(max(0.0, due_s - loop.time()))
                if not data:
                    break
                if not connection.half_open:
                    writer.write(data)
            if not connection.half_open:
                connection.close()

        writing = asyncio.create_task(write_when_due(), name="relay")
        try:
            data = b"?"
            while data:
                try:
                    data = await reader.read(_READ_BYTES)
                except OSError:
                    data = b""
                queue.put_nowait((loop.time() + self.delay_s, data))
            await writing
            if connection.half_open:
                await asyncio.Event().wait()  # keep the client's side open until the relay is closed
        finally:
            writing.cancel()


class _Connection:
    """Both sides of one relayed connection."""

    def __init__(self, client: asyncio.StreamWriter, target: asyncio.StreamWriter) -> None:
        self.half_open = False
        self._client, self._target = client, target

    def close(self) -> None:
        self._client.transport.abort()
        self._target.transport.abort()

    def close_target(self) -> None:
        self.half_open = True
        self._target.close()


def _disable_nagle(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
