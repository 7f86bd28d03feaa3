"""The one place that opens serial ports and looks through them: pyserial, for whoever reads them in whatever way."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Final, NamedTuple, cast

import serial
from serial.tools import list_ports

from service.base.link_errors import reason_of

USB_VENDOR: Final = 0x2E8A
"""Raspberry Pi: the blaster's board is an RP2040."""
DEFAULT_BAUD: Final = 115_200
"""What USB ports ignore and adapters need to know."""

_IN_USE: Final = "in use by another program, such as 'stinger run' or a serial monitor"
_MISSING: Final = "no such port: unplugged?"
_HINTS: Final = {
    errno.ENOENT: _MISSING,
    errno.ENXIO: "no such device: unplugged?",
    errno.EACCES: "permission denied: on Linux, add yourself to the group that owns the port (dialout or uucp)",
    errno.EBUSY: _IN_USE,
    errno.EAGAIN: _IN_USE,
}
_HINTS_BY_TEXT: Final = {
    "PermissionError(": _IN_USE,
    "FileNotFoundError(": _MISSING,
    "Could not configure port": "is no serial port",
}
"""Sometimes the library keeps the system's error only as text: on Windows always, where the denied permission is that of a
port that somebody else has open."""


class UsbPort(NamedTuple):
    """A serial port that is a blaster by its USB identity."""

    path: str
    serial_number: str


def find_blasters() -> list[UsbPort]:
    """The ports whose USB vendor is the blaster's, by name. Takes milliseconds: not for the event loop."""
    ports = [port for port in list_ports.comports() if port.vid == USB_VENDOR]
    return [UsbPort(port.device, port.serial_number or "") for port in sorted(ports, key=lambda port: port.device)]


def all_ports() -> list[tuple[str, str]]:
    """Path and description of every serial port of this machine, by name."""
    return sorted((port.device, port.description or "") for port in list_ports.comports())


def open_serial(path: str, baud: int, *, timeout_s: float, write_timeout_s: float) -> serial.Serial:
    """The port at ``path``, which no one else may open meanwhile.

    Raises ``OSError`` (of which the library's own errors mostly are) or ``ValueError``, for :func:`explain_opening`.
    """
    port = _Port(path, baudrate=baud, timeout=timeout_s, write_timeout=write_timeout_s, exclusive=True)
    # An FTDI adapter otherwise holds bytes back for 16 ms. What has no such mode needs none.
    with suppress(AttributeError, NotImplementedError, OSError, ValueError):
        port.set_low_latency_mode(True)
    return port


class _Port(serial.Serial):  # type: ignore[misc]  # the library has no types
    """A port that, where it need not wait, reads without asking beforehand whether there is something."""

    def read(self, size: int = 1) -> bytes:
        if os.name == "posix" and self.is_open and self.timeout == 0:
            with suppress(OSError):  # what is wrong, the library finds out and names
                if data := os.read(self.fd, size):
                    return data
        return bytes(super().read(size))


def explain_opening(error: Exception) -> str:
    """Why a port could not be opened, and what to do about it."""
    number = cast("int | None", getattr(error, "errno", None))
    text = reason_of(error)
    if number is None:
        return next((hint for part, hint in _HINTS_BY_TEXT.items() if part in text), text)
    return _HINTS.get(number, text)
