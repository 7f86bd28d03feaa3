"""A pseudo-terminal as the device's serial port."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from hil.emulated.host_connection import HostConnection, hung_up
from hil.emulated.port import PortListener
from stinger.errors import FileError, InputError

if sys.platform != "win32":
    import termios
    import tty


class PtyPort:
    """A raw pty, and with ``link`` a symbolic link that always leads to it.

    The link is put in place atomically, also over an old link, never over anything else; it vanishes with the port.
    A host is whoever has the pty open: when the last one closes it, what it did not read is thrown away.
    """

    def __init__(self, link: Path | None = None) -> None:
        self.line: HostConnection | None = None
        self._link = link
        self._path = ""
        self._master = -1
        self._plug: PortListener | None = None

    @property
    def address(self) -> str:
        """The link where there is one, else the path of the pty."""
        return self._path if self._link is None else str(self._link)

    def plug_in(self, plug: PortListener) -> None:
        """See :class:`~hil.emulated.port.Port`."""
        if sys.platform == "win32":
            raise InputError("this system has no ptys: use --tcp HOST:PORT")
        try:
            master, slave = os.openpty()
        except OSError as error:
            raise InputError(f"the system gives no more ptys ({error.strerror}): start fewer devices") from error
        self._master = master
        os.set_blocking(master, False)
        tty.setraw(slave, termios.TCSANOW)
        self._path = os.ttyname(slave)
        os.close(slave)  # with it open, nobody could tell whether a host is there
        self._plug = plug
        if self._link is not None:
            try:
                _replace_link(self._link, self._path)
            except BaseException:
                self.unplug()
                raise

    def unplug(self) -> None:
        """See :class:`~hil.emulated.port.Port`."""
        if self._master < 0:
            return
        if self._link is not None:
            with suppress(OSError):
                if str(self._link.readlink()) == self._path:  # else somebody else's by now
                    self._link.unlink()
        self._drop_host()
        os.close(self._master)
        self._master = -1

    def watch(self) -> None:
        """See :class:`~hil.emulated.port.Port`: a pty tells of its opening only if asked."""
        if self._master < 0 or self.line is not None or self._plug is None:
            return
        if hung_up(self._master):
            return
        self.line = HostConnection(self._master, self._plug.data_received_from_host, self._host_left)
        self._plug.host_connected()

    def _host_left(self) -> None:
        self._drop_host()
        if sys.platform != "win32":
            # What it left unread is on the other end's shelf, and only from there can it be cleared.
            with suppress(OSError, termios.error):
                slave = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
                try:
                    termios.tcflush(slave, termios.TCIFLUSH)
                finally:
                    os.close(slave)

    def _drop_host(self) -> None:
        if self.line is not None:
            self.line.close()
            self.line = None
            if self._plug is not None:
                self._plug.host_disconnected()


def _replace_link(link: Path, target: str) -> None:
    """Make ``link`` lead to ``target`` in one step. Raises :class:`FileError`."""
    if link.exists() and not link.is_symlink():
        raise FileError(link, "exists and is no symbolic link: choose another name for --link")
    aside = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
    try:
        aside.symlink_to(target)
        os.replace(aside, link)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise FileError(link, f"cannot be made a symbolic link ({error.strerror})") from error
