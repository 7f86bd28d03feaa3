"""Blocking links to a blaster: a serial port, or a TCP socket that carries the bytes of one."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import ClassVar, Final, Self

import serial

from service.base.link_errors import LinkLostError, reason_of
from service.sources.port_opening import explain_opening, open_serial

READ_S: Final = 0.1
"""A read without data ends after this long, so that Ctrl-C and timeouts take effect soon on every system."""
WRITE_S: Final = 5.0
"""Limit for writing a chunk: a blaster that accepts nothing for this long counts as gone."""
CONNECT_S: Final = 5.0
"""Limit for connecting over TCP."""
CHUNK_BYTES: Final = 512
"""Size of a write, the same as that of the blaster's own tools."""

_READ_BYTES: Final = 65_536


class Link(ABC):
    """An open link, closed by ``with``. ``name`` is how errors name it; ``write_s`` limits the time of a write.

    Every method raises :class:`LinkLostError`, which names the link, once it is gone.
    """

    refusal_hint: ClassVar[str] = ""
    """Text added to the error if the link is lost before the first response."""

    def __init__(self, name: str, write_s: float = WRITE_S) -> None:
        self.name = name
        self.write_s = write_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def read(self) -> bytes:
        """Return the bytes that have arrived; empty if none arrive within :data:`READ_S`."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send all of ``data``, at most :data:`CHUNK_BYTES`, within ``write_s``."""

    @abstractmethod
    def close(self) -> None:
        """Close the link at once and discard unsent bytes."""


class SerialLink(Link):
    """The serial port at ``path``, opened for this process alone. Raises :class:`LinkLostError`."""

    def __init__(self, path: str, baud: int, *, write_s: float = WRITE_S) -> None:
        super().__init__(path, write_s)
        try:
            self._port = open_serial(path, baud, timeout_s=READ_S, write_timeout_s=write_s)
        except (OSError, ValueError) as error:
            raise LinkLostError(f"{path}: {explain_opening(error)}") from error

    def read(self) -> bytes:
        """See :class:`Link`."""
        with self._lost_if_unplugged():
            first: bytes = self._port.read(1)
            return first + self._port.read(self._port.in_waiting) if first else first

    def write(self, data: bytes) -> None:
        """See :class:`Link`."""
        try:
            with self._lost_if_unplugged():
                self._port.write(data)
        except serial.SerialTimeoutException as error:
            raise LinkLostError(f"{self.name}: accepts no data for {self.write_s:g} s") from error

    def close(self) -> None:
        """See :class:`Link`."""
        with suppress(Exception):  # among others termios.error, which does not exist on Windows
            # Otherwise the system waits until a stuck device has accepted the unsent bytes, on Linux for 30 s.
            self._port.reset_output_buffer()
        with suppress(OSError):
            self._port.close()

    @contextmanager
    def _lost_if_unplugged(self) -> Iterator[None]:
        try:
            yield
        except serial.SerialTimeoutException:
            raise
        except OSError as error:
            raise LinkLostError(f"{self.name}: unplugged or switched off") from error


class TcpLink(Link):
    """A socket that carries the bytes of a serial port. Raises :class:`LinkLostError`."""

    refusal_hint = ": is another program connected to it, such as 'stinger run'?"

    def __init__(self, host: str, port: int, *, write_s: float = WRITE_S) -> None:
        super().__init__(f"tcp://{f'[{host}]' if ':' in host else host}:{port}", write_s)
        try:
            self._socket = socket.create_connection((host, port), timeout=CONNECT_S)
        except TimeoutError as error:
            raise LinkLostError(f"{self.name}: no connection within {CONNECT_S:g} s") from error
        except OSError as error:
            raise LinkLostError(f"{self.name}: {reason_of(error)}") from error
        with suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self) -> bytes:
        """See :class:`Link`."""
        self._socket.settimeout(READ_S)
        try:
            data = self._socket.recv(_READ_BYTES)
        except TimeoutError:
            return b""
        except OSError as error:
            raise LinkLostError(f"{self.name}: {reason_of(error)}") from error
        if not data:
            raise LinkLostError(f"{self.name}: closed at the other end")
        return data

    def write(self, data: bytes) -> None:
        """See :class:`Link`."""
        self._socket.settimeout(self.write_s)
        try:
            self._socket.sendall(data)
        except TimeoutError as error:
            raise LinkLostError(f"{self.name}: accepts no data for {self.write_s:g} s") from error
        except OSError as error:
            raise LinkLostError(f"{self.name}: {reason_of(error)}") from error

    def close(self) -> None:
        """See :class:`Link`."""
        self._socket.close()
