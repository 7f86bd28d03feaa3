"""The one place that knows the serial library: pyserial's ports with pyserial-asyncio-fast's transport.

On Windows the transport polls, and works with the selector loop, which the MQTT client needs as well.
"""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress
from typing import Any, Final, NamedTuple, cast

import serial
import serial_asyncio_fast
from serial.tools import list_ports

from service.sources.reader import LinkLostError, LinkReader, reason_of

USB_VENDOR: Final = 0x2E8A
"""Raspberry Pi: the blaster's board is an RP2040."""

_OPEN_PATIENCE_S: Final = 1.0
_LAST_WORDS_S: Final = 0.02

_HINTS: Final = {
    errno.ENOENT: "no such port: unplugged?",
    errno.ENXIO: "no such device: unplugged?",
    errno.EACCES: "permission denied: on Linux, add yourself to the group that owns the port (dialout or uucp)",
    errno.EBUSY: "in use by another program",
    errno.EAGAIN: "in use by another program",
}


class UsbPort(NamedTuple):
    """A serial port that is a blaster by its USB identity."""

    path: str
    serial_number: str


def find_blasters() -> list[UsbPort]:
    """The ports whose USB vendor is the blaster's, by name. Takes milliseconds: not for the event loop."""
    ports = [port for port in list_ports.comports() if port.vid == USB_VENDOR]
    return [UsbPort(port.device, port.serial_number or "") for port in sorted(ports, key=lambda port: port.device)]


async def open_port(path: str, baud: int, reader: LinkReader) -> asyncio.Transport:
    """A transport for the port at ``path``, which no one else may open meanwhile; raises :class:`LinkLostError`."""
    loop = asyncio.get_running_loop()
    # Opening can take a second and cannot be interrupted; if nobody waits any longer, the port is closed again.
    opening = loop.run_in_executor(None, _open, path, baud)
    try:
        port = await asyncio.shield(opening)
    except asyncio.CancelledError:
        await asyncio.wait([opening], timeout=_OPEN_PATIENCE_S)
        opening.add_done_callback(_close_unused)
        raise
    except (OSError, ValueError) as error:  # of a SerialException, an OSError, mostly; ValueError for a baud rate
        raise LinkLostError(f"{path}: {_explain(error)}") from error
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


def _open(path: str, baud: int) -> serial.Serial:
    port = serial.Serial(path, baudrate=baud, timeout=0, write_timeout=0, exclusive=True)
    # An FTDI adapter otherwise holds bytes back for 16 ms. What has no such mode needs none.
    with suppress(AttributeError, NotImplementedError, OSError, ValueError):
        port.set_low_latency_mode(True)
    return port


def _close_unused(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _explain(error: Exception) -> str:
    number = cast("int | None", getattr(error, "errno", None))
    return _HINTS.get(number or 0, reason_of(error))
