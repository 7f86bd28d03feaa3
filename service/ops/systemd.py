"""Sends the daemon's state to systemd: readiness, a status line, and heartbeats for the watchdog.

Protocol: sd_notify(3), https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html. docs/decisions.md says
why no package is used for it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from service.base.logs import RepeatedFailure, get_logger
from stinger.files import text_bytes

_HEARTBEATS_PER_LIMIT: Final = 3
"""Heartbeats within the watchdog's limit: one of them may be late without harm."""
_LOG = get_logger(__name__)


class Notifier:
    """Sends messages to the socket named in ``environ``.

    Without one (no systemd, or started by hand) it sends nothing. No method blocks or raises: a message that cannot be
    sent at once is dropped, which is logged once.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._socket: socket.socket | None = None
        if self._address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        self._status = ""
        self._failure = RepeatedFailure(_LOG, "systemd_notification_failed")
        self.watchdog_s = _watchdog_s(environ) if self._socket else None
        """The watchdog's limit in seconds; ``None`` if there is no watchdog."""

    def ready(self) -> None:
        """Report that starting or reloading the configuration has finished."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report that the configuration is being reloaded; :meth:`ready` must follow."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the daemon has begun to stop."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Report one line for ``systemctl status``; sent only if it differs from the last one."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={' '.join(text.split())}")

    async def run_watchdog(self, makes_progress: Callable[[], bool]) -> None:
        """Send heartbeats until cancelled, each only if ``makes_progress`` returns True.

        Without a watchdog, return at once. A stalled event loop or a lack of progress thus stops the heartbeats, and
        systemd restarts the daemon.
        """
        if self.watchdog_s is None:
            return
        while True:
            if makes_progress():
                self._send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / _HEARTBEATS_PER_LIMIT)

    def close(self) -> None:
        """Close the socket; later messages are dropped."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is None or self._address is None:
            return
        try:
            self._socket.sendto(text_bytes(message), self._address)
        except OSError as error:
            self._failure.log(error.strerror or str(error))
        else:
            self._failure.reset()


def _address(name: str) -> str | None:
    """Return the address of the socket ``name``: a path, or an abstract name after ``@``; ``None`` for other kinds."""
    if not hasattr(socket, "AF_UNIX") or not name.startswith(("/", "@")):
        return None
    return f"\0{name[1:]}" if name.startswith("@") else name


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Return the watchdog's limit if it is meant for this process, by the rules of sd_watchdog_enabled(3)."""
    limit_us, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(os.getpid()))
    if not limit_us.isdecimal() or int(limit_us) == 0 or pid != str(os.getpid()):
        return None
    return int(limit_us) / 1e6
