"""Opens serial ports with pyserial, and explains why one could not be opened."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Final, cast

import serial

from service.base.link_errors import reason_of

DEFAULT_BAUD: Final = 115_200
"""Baud rate of a serial adapter; USB ports ignore it."""

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
