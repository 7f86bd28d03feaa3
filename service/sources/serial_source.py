"""A source that reads a device at a serial port: one that is named, or the first blaster found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from service.base.backoff import Backoff
from service.base.link_errors import LinkLostError
from service.base.logs import get_logger
from service.sources.device_stream import DEFAULT_TIMING, LinkTiming
from service.sources.link_reader import LinkReader
from service.sources.link_source import LinkSource
from service.sources.port_discovery import BlasterPort, find_blasters
from service.sources.port_opening import DEFAULT_BAUD
from service.sources.serial_transport import open_port
from stinger.device_name import DeviceName

RESCAN_S: Final = 1.0
"""Interval of searching the ports while no blaster is plugged in."""

_LOG: Final = get_logger(__name__)


class SerialSource(LinkSource):
    """``serial:///dev/ttyACM0``, ``serial://COM3``; ``path`` ``None`` is ``serial://auto``: the first blaster found."""

    def __init__(
        self,
        url: str,
        device: DeviceName,
        path: str | None,
        baud: int = DEFAULT_BAUD,
        *,
        timing: LinkTiming = DEFAULT_TIMING,
        find: Callable[[], list[BlasterPort]] = find_blasters,
        rescan_s: float = RESCAN_S,
    ) -> None:
        super().__init__(url, device, timing=timing)
        self.path = path
        self._baud = baud
        self._find = find
        self._rescan_s = rescan_s
        self._not_found = False

    async def _open(self, reader: LinkReader) -> asyncio.Transport:
        self._not_found = False
        if self.path is not None:
            return await open_port(self.path, self._baud, reader)
        found = await asyncio.to_thread(self._find)
        if not found:
            self._not_found = True
            raise LinkLostError("no blaster is plugged in: no serial port has its USB vendor id (2e8a)")
        port = found[0]
        _LOG.info(
            "blaster_found", device=self.device, port=port.path, serial_number=port.serial_number, others=len(found) - 1
        )
        return await open_port(port.path, self._baud, reader)

    def _retry_s(self, backoff: Backoff) -> float:
        return self._rescan_s if self._not_found else backoff.next_s()
