"""A pseudo-terminal as the device's serial port."""

from __future__ import annotations

import os
import secrets
import select
import sys
from contextlib import suppress
from pathlib import Path

from hil.emulated.host_connection import HostConnection
from hil.emulated.port import PortListener
from stinger.errors import FileError, InputError

if sys.platform != "win32":
    import termios
    import tty


class PtyPort:
    """A raw pty, and with ``link`` a symbolic link to it.

    The link is created atomically and replaces an old link, but never anything else; it is removed with the port. A
    host is connected while any process has the pty open; when the last one closes it, data that it did not read is
    discarded.
    """

    def __init__(self, link: Path | None = None) -> None:
        self.connection: HostConnection | None = None
        self._link = link
        self._path = ""
        self._master = -1
        self._listener: PortListener | None = None

    @property
    def address(self) -> str:
        """The path of the link; without a link, that of the pty."""
        return self._path if self._link is None else str(self._link)

    def plug_in(self, listener: PortListener) -> None:
        """See :class:`~hil.emulated.port.Port`."""
        if sys.platform == "win32":
            raise InputError("this system has no pseudo-terminals: use --tcp HOST:PORT")
        try:
            master, slave = os.openpty()
        except OSError as error:
            raise InputError(f"no more pseudo-terminals available ({error.strerror}): start fewer devices") from error
        self._master = master
        os.set_blocking(master, False)
        tty.setraw(slave, termios.TCSANOW)
        self._path = os.ttyname(slave)
        os.close(slave)  # while we have it open, POLLHUP cannot show whether a host has
        self._listener = listener
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
                if str(self._link.readlink()) == self._path:  # otherwise another process has replaced it
                    self._link.unlink()
        self._drop_host()
        os.close(self._master)
        self._master = -1

    def poll(self) -> None:
        """See :class:`~hil.emulated.port.Port`: the opening of a pty can only be polled."""
        if self._master < 0 or self.connection is not None or self._listener is None:
            return
        channel = _PtyChannel(self._master)
        if channel.is_hung_up():
            return
        self.connection = HostConnection(channel, self._listener.data_received, self._host_left)
        self._listener.host_connected()

    def _host_left(self) -> None:
        self._drop_host()
        if sys.platform != "win32":
            # Data that the host left unread is in the input queue of the slave, which only the slave's side can flush.
            with suppress(OSError, termios.error):
                slave = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
                try:
                    termios.tcflush(slave, termios.TCIFLUSH)
                finally:
                    os.close(slave)

    def _drop_host(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
            if self._listener is not None:
                self._listener.host_disconnected()


class _PtyChannel:
    """The device's end of a pty."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def read(self, size: int) -> bytes:
        return os.read(self._fd, size)

    def write(self, data: bytes | bytearray) -> int:
        return os.write(self._fd, data)

    def is_hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._fd, 0)
        return any(event & select.POLLHUP for _, event in poll.poll(0))


def _replace_link(link: Path, target: str) -> None:
    """Make ``link`` a symbolic link to ``target``, atomically. Raises :class:`FileError`."""
    if link.exists() and not link.is_symlink():
        raise FileError(link, "exists and is not a symbolic link: choose another name for --link")
    temporary = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
    try:
        temporary.symlink_to(target)
        os.replace(temporary, link)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise FileError(link, f"cannot create the symbolic link ({error.strerror})") from error
