"""What serial ports and sockets share: opened, read, and opened again for ever."""

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
    """A device at the other end of a stream of bytes."""

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
        session = DeviceStream(self.device, intake, timing)
        backoff = Backoff(timing.first_retry_s, timing.longest_retry_s)
        session.report(LinkState.CONNECTING)
        while True:
            try:
                await self._serve(session)
            except LinkLostError as lost:
                session.lost(lost)
            if session.streamed_s >= timing.good_stretch_s:
                backoff.reset()
                session.streamed_s = 0.0
            await asyncio.sleep(self._wait_s(backoff))

    @abstractmethod
    async def _open(self, reader: LinkReader) -> asyncio.Transport:
        """Open the link, for ``reader``. Raises :class:`LinkLostError`; leaves nothing open if it does."""

    def _wait_s(self, backoff: Backoff) -> float:
        """How long to wait before the link is opened again."""
        return backoff.next_s()

    async def _serve(self, session: DeviceStream) -> None:
        """One link, from opening to its loss, which is raised."""
        reader = LinkReader()
        transport = await self._open(reader)
        try:
            await session.stream(reader, transport)
        finally:
            await _close(transport, reader, self._timing.close_s)


async def _close(transport: asyncio.Transport, reader: LinkReader, patience_s: float) -> None:
    """Close ``transport``, also while being cancelled; what it still has to send gets ``patience_s``."""
    if not transport.is_closing():
        transport.close()
    try:
        async with asyncio.timeout(patience_s):
            await reader.closed.wait()
    except TimeoutError:
        transport.abort()
        await reader.closed.wait()
