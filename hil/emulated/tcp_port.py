"""A TCP port as the device's serial port, as a bridge between a blaster and a network offers it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Final

from hil.emulated.host_connection import HostConnection
from hil.emulated.port import PortListener
from stinger.errors import InputError

SEND_BUFFER_BYTES: Final = 16_384
"""What the system keeps for a host that does not read; by default it would be megabytes, and minutes of samples."""


class TcpPort:
    """Listens on ``host`` and ``port`` (0: one that is free, the same again after unplugging).

    There is one host at a time, as on a serial port: another one is turned away.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.line: HostConnection | None = None
        self._host = host
        self._number = port
        self._listener: socket.socket | None = None
        self._connection: socket.socket | None = None
        self._plug: PortListener | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def address(self) -> str:
        """``HOST:PORT``, as a ``tcp://`` URL has it."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._number}"

    def plug_in(self, plug: PortListener) -> None:
        """See :class:`~hil.emulated.port.Port`."""
        self._loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # handed on to connections
            listener.bind((self._host, self._number))
            listener.listen()
            listener.setblocking(False)
        except OSError as error:
            listener.close()
            raise InputError(f"cannot listen on {self.address}: {error.strerror or error}") from error
        self._number = listener.getsockname()[1]
        self._listener = listener
        self._plug = plug
        self._loop.add_reader(listener, self._accept)

    def unplug(self) -> None:
        """See :class:`~hil.emulated.port.Port`: the connection is closed, the next one refused."""
        if self._listener is not None and self._loop is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        self._drop_host()

    def watch(self) -> None:
        """See :class:`~hil.emulated.port.Port`: the listener tells by itself."""

    def _accept(self) -> None:
        assert self._listener is not None
        assert self._plug is not None
        try:
            connection, _ = self._listener.accept()
        except OSError:  # gone again
            return
        if self.line is not None:
            connection.close()
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._connection = connection
        self.line = HostConnection(connection.fileno(), self._plug.data_received_from_host, self._drop_host)
        self._plug.host_connected()

    def _drop_host(self) -> None:
        line, connection = self.line, self._connection
        if line is None or connection is None or self._plug is None:
            return
        self.line = self._connection = None
        line.close()
        with suppress(OSError):
            connection.close()
        self._plug.host_disconnected()
