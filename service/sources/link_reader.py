"""The end of a link where bytes arrive: kept, with the moment of their reading, until they are fetched."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from service.base.link_errors import LinkLostError, reason_of

HELD_MAX_BYTES: Final = 65_536
"""While so much waits to be fetched, nothing more is read: the device or the system's buffer has to wait."""


class LinkReader(asyncio.Protocol):
    """What a transport of any kind hands its bytes to. One task fetches them with :meth:`fetch`."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._chunks: list[tuple[bytes, int]] = []
        self._held = 0
        self._paused = False
        self._transport: asyncio.Transport | None = None
        self._lost: str | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._until_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        self._chunks.append((data, time.monotonic_ns()))
        self._held += len(data)
        if self._held > HELD_MAX_BYTES and self._transport is not None and not self._paused:
            self._transport.pause_reading()
            self._paused = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._lost = "closed at the other end" if exc is None else reason_of(exc)
        self._transport = None
        self._wake()
        self.closed.set()

    async def fetch(self, until_s: float) -> list[tuple[bytes, int]]:
        """What has come, each piece with the ``time.monotonic_ns()`` of its reading; empty if none until ``until_s``.

        ``until_s`` is of the loop's clock. Raises :class:`LinkLostError` when all was fetched and the link is lost.
        """
        if not self._chunks:
            if self._lost is not None:
                raise LinkLostError(self._lost)
            await self._wait(until_s)
        chunks, self._chunks, self._held = self._chunks, [], 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return chunks

    async def _wait(self, until_s: float) -> None:
        # One timer for many waits, moved on only when it fires: a timeout for each would cost more than the reading.
        loop = asyncio.get_running_loop()
        self._until_s = until_s
        if self._timer is None or self._timer.when() > until_s:
            self._stop_timer()
            self._timer = loop.call_at(until_s, self._time_is_up)
        self._waiter = loop.create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            self._stop_timer()
            raise
        finally:
            self._waiter = None

    def _time_is_up(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        if loop.time() < self._until_s and self._lost is None:
            self._timer = loop.call_at(self._until_s, self._time_is_up)
        else:
            self._wake()

    def _wake(self) -> None:
        if self._lost is not None:
            self._stop_timer()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
