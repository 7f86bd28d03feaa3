"""A serial port for the event loop: pyserial's port with pyserial-asyncio-fast's transport.

On Windows the transport polls, and works with the selector loop, which the MQTT client needs as well.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any, Final

import serial
import serial_asyncio_fast

from service.base.link_errors import LinkLostError
from service.sources.link_reader import LinkReader
from service.sources.port_opening import explain_opening, open_serial

_OPEN_PATIENCE_S: Final = 1.0
_LAST_WORDS_S: Final = 0.02


async def open_port(path: str, baud: int, reader: LinkReader) -> asyncio.Transport:
    """A transport for the port at ``path``, which no one else may open meanwhile; raises :class:`LinkLostError`."""
    loop = asyncio.get_running_loop()
    # Opening can take a second and cannot be interrupted; if nobody waits any longer, the port is closed again.
    opening = loop.run_in_executor(None, partial(open_serial, path, baud, timeout_s=0, write_timeout_s=0))
    try:
        port = await asyncio.shield(opening)
    except asyncio.CancelledError:
        await asyncio.wait([opening], timeout=_OPEN_PATIENCE_S)
        opening.add_done_callback(_close_unused)
        raise
    except (OSError, ValueError) as error:  # of a SerialException, an OSError, mostly; ValueError for a baud rate
        raise LinkLostError(f"{path}: {explain_opening(error)}") from error
    transport, _ = await serial_asyncio_fast.connection_for_serial(loop, lambda: reader, port)
    return _Transport(transport, port)


class _Transport(asyncio.Transport):
    """The library's transport for one that only sends a few bytes now and then, and may be closed twice."""

    def __init__(self, inner: asyncio.Transport, port: serial.Serial) -> None:
        super().__init__()
        self._inner = inner
        self._port = port

    def write(self, data: bytes | bytearray | memoryview) -> None:
        # Not through the library, which logs a traceback when the port has just been unplugged.
        try:
            self._port.write(data)
        except OSError:
            self.abort()

    def is_closing(self) -> bool:
        return self._inner.is_closing()

    def close(self) -> None:
        # Not the library's, which waits in a thread, maybe for ever, until the device has taken all.
        if self._is_sending():
            asyncio.get_running_loop().call_later(_LAST_WORDS_S, self.abort)
        else:
            self.abort()

    def abort(self) -> None:
        if self._inner.is_closing():
            return
        # What a stuck device does not take would keep the system's close() waiting, on Linux for 30 s.
        if self._is_sending():
            with suppress(Exception):
                self._port.reset_output_buffer()
        self._inner.abort()

    def _is_sending(self) -> bool:
        with suppress(Exception):  # of termios, which Windows does not have, among others
            return bool(self._port.out_waiting)
        return False


def _close_unused(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
