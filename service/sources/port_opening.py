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
_HINTS_BY_MESSAGE: Final = {
    "PermissionError(": _IN_USE,
    "FileNotFoundError(": _MISSING,
    "Could not configure port": "not a serial port",
}
"""Hints by a part of the message, for errors that the library passes on only as text. On Windows it always does; there
a denied permission means that another program has the port open."""


def open_serial(path: str, baud: int, *, timeout_s: float, write_timeout_s: float) -> serial.Serial:
    """Open the port at ``path`` for this process alone.

    Raises ``OSError`` (most of the library's own errors are subclasses) or ``ValueError``: see :func:`explain_opening`.
    """
    port = _Port(path, baudrate=baud, timeout=timeout_s, write_timeout=write_timeout_s, exclusive=True)
    # Without this mode an FTDI adapter delays bytes by 16 ms. Ports that do not offer the mode do not need it.
    with suppress(AttributeError, NotImplementedError, OSError, ValueError):
        port.set_low_latency_mode(True)
    return port


class _Port(serial.Serial):  # type: ignore[misc]  # the library has no types
    """A port whose non-blocking reads skip the library's check for available bytes, which costs a system call."""

    def read(self, size: int = 1) -> bytes:
        if os.name == "posix" and self.is_open and self.timeout == 0:
            try:
                if data := os.read(self.fd, size):
                    return data
            except OSError:  # the library's own read below names the cause
                pass
        return bytes(super().read(size))


def explain_opening(error: Exception) -> str:
    """Return why a port could not be opened, and what to do about it."""
    number = cast("int | None", getattr(error, "errno", None))
    text = reason_of(error)
    if number is None:
        return next((hint for part, hint in _HINTS_BY_MESSAGE.items() if part in text), text)
    return _HINTS.get(number, text)
