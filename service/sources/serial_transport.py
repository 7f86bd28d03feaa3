"""Connects a serial port to the event loop: pyserial's port with pyserial-asyncio-fast's transport.

On Windows the transport polls, and works with the selector event loop, which the MQTT client needs as well.
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

_CANCELLED_OPEN_S: Final = 1.0
"""How long a cancelled opening is waited for, so that the port is closed before the task ends."""
_FLUSH_S: Final = 0.02
"""How long the transport waits, when closed, for unsent bytes to be sent."""


async def open_port(path: str, baud: int, reader: LinkReader) -> asyncio.Transport:
    """Open the port at ``path`` for this process alone, and return its transport. Raises :class:`LinkLostError`."""
    loop = asyncio.get_running_loop()
    # Opening can take a second and cannot be interrupted; if this task is cancelled meanwhile, the port is closed
    # again.
    opening = loop.run_in_executor(None, partial(open_serial, path, baud, timeout_s=0, write_timeout_s=0))
    try:
        port = await asyncio.shield(opening)
    except asyncio.CancelledError:
        await asyncio.wait([opening], timeout=_CANCELLED_OPEN_S)
        opening.add_done_callback(_close_unused)
        raise
    except (OSError, ValueError) as error:  # SerialException is an OSError; ValueError: a baud rate
        raise LinkLostError(f"{path}: {explain_opening(error)}") from error
    transport, _ = await serial_asyncio_fast.connection_for_serial(loop, lambda: reader, port)
    return _Transport(transport, port)


class _Transport(asyncio.Transport):
    """The library's transport, changed to write directly, to close without blocking, and to allow closing twice."""

    def __init__(self, inner: asyncio.Transport, port: serial.Serial) -> None:
        super().__init__()
        self._inner = inner
        self._port = port

    def write(self, data: bytes | bytearray | memoryview) -> None:
        # Not through the library: it logs a traceback when the port has just been unplugged.
        try:
            self._port.write(data)
        except OSError:
            self.abort()

    def is_closing(self) -> bool:
        return self._inner.is_closing()

    def close(self) -> None:
        # Not through the library: it waits in a thread, possibly for ever, until the device has accepted everything.
        if self._is_sending():
            asyncio.get_running_loop().call_later(_FLUSH_S, self.abort)
        else:
            self.abort()

    def abort(self) -> None:
        if self._inner.is_closing():
            return
        # Bytes that a stuck device does not accept would block the system's close(), on Linux for 30 s.
        if self._is_sending():
            with suppress(Exception):
                self._port.reset_output_buffer()
        self._inner.abort()

    def _is_sending(self) -> bool:
        with suppress(Exception):  # among others termios.error, which does not exist on Windows
            return bool(self._port.out_waiting)
        return False


def _close_unused(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
