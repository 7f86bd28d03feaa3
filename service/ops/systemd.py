"""What the daemon tells systemd: that it is ready, how it does, and, for the watchdog, that it gets on.

Protocol: sd_notify(3), https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html. The packages for it are
without a release for years, or block the caller, measure time with the wall clock and know neither STOPPING nor RELOADING.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from service.base.logs import RepeatedFailure, get_logger

_SHARE: Final = 3
"""The watchdog is told so many times within its limit: one look may come late without harm."""
_LOG = get_logger(__name__)


class Notifier:
    """Talks to the socket that ``environ`` names; without one (another system, or started by hand) it says nothing.

    No method waits or raises: a message that systemd has no room for is lost, which is logged once.
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
        """The watchdog's limit; ``None`` where nobody waits for word."""

    def ready(self) -> None:
        """Starting, or reading the configuration again, is done."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is read again; :meth:`ready` follows."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The daemon has begun to stop."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Say how things are, for ``systemctl status``: one line, sent when it is another one."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={' '.join(text.split())}")

    async def watch(self, gets_on: Callable[[], bool]) -> None:
        """Until cancelled, tell the watchdog in time that all is well, as long as this is run and ``gets_on`` says so.

        Returns at once where there is no watchdog.
        """
        if self.watchdog_s is None:
            return
        while True:
            if gets_on():
                self._send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / _SHARE)

    def close(self) -> None:
        """Say nothing from now on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is None or self._address is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            self._failure.log(error.strerror or str(error))
        else:
            self._failure.reset()


def _address(name: str) -> str | None:
    """The address of a socket by its ``name``: a path, or with an ``@`` one that is in no folder; ``None`` for others."""
    if not hasattr(socket, "AF_UNIX") or not name.startswith(("/", "@")):
        return None
    return f"\0{name[1:]}" if name.startswith("@") else name


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """The limit of a watchdog that is meant for this process, as sd_watchdog_enabled(3) reads it."""
    limit_us, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(os.getpid()))
    if not limit_us.isdecimal() or int(limit_us) == 0 or pid != str(os.getpid()):
        return None
    return int(limit_us) / 1e6
