"""What serial ports and sockets have in common as sources.

A link is opened, read, and reopened after every loss.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from service.base.backoff import Backoff
from service.base.link_errors import LinkLostError
from service.base.source import Intake, LinkState
from service.sources.device_stream import DEFAULT_TIMING, DeviceStream, LinkTiming
from service.sources.link_reader import LinkReader
from stinger.device_name import DeviceName


class LinkSource(ABC):
    """A device at the other end of a byte stream."""

    def __init__(self, url: str, device: DeviceName, *, timing: LinkTiming = DEFAULT_TIMING) -> None:
        self.device = device
        self._url = url
        self._timing = timing

    @property
    def url(self) -> str:
        """See :class:`service.base.source.Source`."""
        return self._url

    async def run(self, intake: Intake) -> None:
        """See :class:`service.base.source.Source`."""
        timing = self._timing
        stream = DeviceStream(self.device, intake, timing)
        backoff = Backoff(timing.first_retry_s, timing.longest_retry_s)
        stream.report(LinkState.CONNECTING)
        while True:
            try:
                await self._run_link(stream)
            except LinkLostError as lost:
                stream.link_lost(lost)
            if stream.streamed_s >= timing.stable_s:
                backoff.reset()
                stream.streamed_s = 0.0
            await asyncio.sleep(self._retry_s(backoff))

    @abstractmethod
    async def _open(self, reader: LinkReader) -> asyncio.Transport:
        """Open the link and attach ``reader``. Raises :class:`LinkLostError`, and then leaves nothing open."""

    def _retry_s(self, backoff: Backoff) -> float:
        """Return how long to wait before the link is opened again."""
        return backoff.next_s()

    async def _run_link(self, stream: DeviceStream) -> None:
        """Open one link and read it until it is lost, which raises :class:`LinkLostError`."""
        reader = LinkReader()
        transport = await self._open(reader)
        try:
            await stream.run(reader, transport)
        finally:
            await _close(transport, reader, self._timing.close_s)


async def _close(transport: asyncio.Transport, reader: LinkReader, timeout_s: float) -> None:
    """Close ``transport``, also during cancellation; abort it if it is still sending after ``timeout_s``."""
    if not transport.is_closing():
        transport.close()
    try:
        async with asyncio.timeout(timeout_s):
            await reader.closed.wait()
    except TimeoutError:
        transport.abort()
        await reader.closed.wait()
