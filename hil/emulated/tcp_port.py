"""A TCP port as the device's serial port, as a serial-to-network bridge offers it."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress
from typing import Final

from hil.emulated.host_connection import HostConnection
from hil.emulated.port import PortListener
from stinger.errors import InputError

SEND_BUFFER_BYTES: Final = 16_384
"""The system's buffer for a host that does not read; the default is megabytes, which is minutes of samples."""


class TcpPort:
    """Listens on ``host`` and ``port``; 0 picks a free port, which stays the same after unplugging.

    There is one host at a time, as on a serial port: a second connection is closed at once.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.connection: HostConnection | None = None
        self._host = host
        self._number = port
        self._server: socket.socket | None = None
        self._socket: socket.socket | None = None
        self._listener: PortListener | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def address(self) -> str:
        """``HOST:PORT``, as a ``tcp://`` URL has it."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._number}"

    def plug_in(self, listener: PortListener) -> None:
        """See :class:`~hil.emulated.port.Port`."""
        self._loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        server = socket.socket(family, socket.SOCK_STREAM)
        try:
            if sys.platform != "win32":  # there it would allow two programs to listen on the same port
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # inherited by connections
            server.bind((self._host, self._number))
            server.listen()
            server.setblocking(False)
        except OSError as error:
            server.close()
            raise InputError(f"cannot listen on {self.address}: {error.strerror or error}") from error
        self._number = server.getsockname()[1]
        self._server = server
        self._listener = listener
        self._loop.add_reader(server, self._accept)

    def unplug(self) -> None:
        """See :class:`~hil.emulated.port.Port`: the connection is closed, and new ones are refused."""
        if self._server is not None and self._loop is not None:
            self._loop.remove_reader(self._server)
            self._server.close()
            self._server = None
        self._drop_host()

    def poll(self) -> None:
        """See :class:`~hil.emulated.port.Port`: nothing to do, the event loop reports new connections."""

    def _accept(self) -> None:
        assert self._server is not None
        assert self._listener is not None
        try:
            accepted, _ = self._server.accept()
        except OSError:  # the client has closed it again
            return
        if self.connection is not None:
            accepted.close()
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._socket = accepted
        self.connection = HostConnection(_SocketChannel(accepted), self._listener.data_received, self._drop_host)
        self._listener.host_connected()

    def _drop_host(self) -> None:
        connection, accepted = self.connection, self._socket
        if connection is None or accepted is None or self._listener is None:
            return
        self.connection = self._socket = None
        connection.close()
        with suppress(OSError):
            accepted.close()
        self._listener.host_disconnected()


class _SocketChannel:
    """The device's end of a connection. On Windows a socket has no file descriptor that ``os.read`` takes."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, size: int) -> bytes:
        return self._socket.recv(size)

    def write(self, data: bytes | bytearray) -> int:
        return self._socket.send(data)

    def is_hung_up(self) -> bool:
        return False  # writing shows it
