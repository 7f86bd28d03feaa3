"""Buffers the bytes that arrive over a link, with the time at which each chunk was read, until they are fetched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from service.base.link_errors import LinkLostError, reason_of

BUFFER_MAX_BYTES: Final = 65_536
"""Reading pauses while more than this is buffered: further bytes wait in the system's buffer or in the device."""


class LinkReader(asyncio.Protocol):
    """The protocol that receives a transport's bytes. One task takes them with :meth:`fetch`."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._chunks: list[tuple[bytes, int]] = []
        self._buffered_bytes = 0
        self._paused = False
        self._transport: asyncio.Transport | None = None
        self._lost: str | None = None
        self._take: Callable[[bytes, int], int] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._until_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        read_ns = time.monotonic_ns()
        if self._take is not None:
            data = data[self._take(data, read_ns) :]
            if not data:
                return
        self._chunks.append((data, read_ns))
        self._buffered_bytes += len(data)
        if self._buffered_bytes > BUFFER_MAX_BYTES and self._transport is not None and not self._paused:
            self._transport.pause_reading()
            self._paused = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._lost = "closed at the other end" if exc is None else reason_of(exc)
        self._transport = None
        self._wake()
        self.closed.set()

    async def fetch(self, until_s: float, take: Callable[[bytes, int], int] | None = None) -> list[tuple[bytes, int]]:
        """Wait for bytes, and return the chunks read since the last call; empty if none arrives before ``until_s``.

        Each chunk comes with the ``time.monotonic_ns()`` of its reading. ``until_s`` is a time of the event loop's
        clock. While it waits, each chunk is first offered to ``take``, with its time, which returns how many bytes it
        has taken from the front; if it takes all, the waiting task need not wake. Raises :class:`LinkLostError` once
        the link is lost and everything read from it has been fetched.
        """
        if not self._chunks:
            if self._lost is not None:
                raise LinkLostError(self._lost)
            self._take = take
            await self._wait(until_s)
        chunks, self._chunks, self._buffered_bytes = self._chunks, [], 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return chunks

    async def _wait(self, until_s: float) -> None:
        # One timer serves many waits and is moved only when it fires: a timeout for each wait would cost more than the
        # reading.
        loop = asyncio.get_running_loop()
        self._until_s = until_s
        if self._timer is None or self._timer.when() > until_s:
            self._stop_timer()
            self._timer = loop.call_at(until_s, self._on_timer)
        self._waiter = loop.create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            self._stop_timer()
            raise
        finally:
            self._waiter = None
            self._take = None

    def _on_timer(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        if loop.time() < self._until_s and self._lost is None:
            self._timer = loop.call_at(self._until_s, self._on_timer)
        else:
            # Not at once: when a stopped process continues, timers run before the data that has arrived meanwhile is
            # read.
            loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._take = None  # what arrives from now on comes after what the task is about to fetch
        if self._lost is not None:
            self._stop_timer()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
