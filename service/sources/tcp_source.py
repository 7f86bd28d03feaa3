"""A source that reads a device through a TCP socket: ser2net, a bridge on an ESP32, the emulated blaster."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from service.base.link_errors import LinkLostError, reason_of
from service.sources.device_stream import DEFAULT_TIMING, LinkTiming
from service.sources.link_reader import LinkReader
from service.sources.link_source import LinkSource
from stinger.device_name import DeviceName


class TcpSource(LinkSource):
    """``tcp://host:port``."""

    def __init__(
        self, url: str, device: DeviceName, host: str, port: int, *, timing: LinkTiming = DEFAULT_TIMING
    ) -> None:
        super().__init__(url, device, timing=timing)
        self._host = host
        self._port = port

    async def _open(self, reader: LinkReader) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timing.connect_s):
                transport, _ = await loop.create_connection(lambda: reader, self._host, self._port)
        except TimeoutError as error:
            raise LinkLostError(
                f"{self._host}:{self._port} did not answer within {self._timing.connect_s:g} s"
            ) from error
        except OSError as error:
            raise LinkLostError(f"{self._host}:{self._port}: {reason_of(error)}") from error
        connection = transport.get_extra_info("socket")
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return transport
