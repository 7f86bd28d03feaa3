"""A link to a blaster that is read and written by whoever waits for it: a serial port, or a socket that stands for one."""

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
"""A read that brings nothing ends after so long: so soon does Ctrl-C or a time-out count, on every system."""
WRITE_S: Final = 5.0
"""A blaster that takes nothing for so long is gone."""
CONNECT_S: Final = 5.0
CHUNK_BYTES: Final = 512
"""So much is written at a time, as the blaster's own tools do."""

_READ_BYTES: Final = 65_536


class Link(ABC):
    """An open link; ``name`` is what errors call it. Close it with ``with``.

    Every method raises :class:`LinkLostError`, which names the link, once it is gone.
    """

    refusal_hint: ClassVar[str] = ""
    """What to add where a link is lost before anything was said."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def read(self) -> bytes:
        """What has come; empty if nothing does within :data:`READ_S`."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send all of ``data``, at most :data:`CHUNK_BYTES`, within :data:`WRITE_S`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the link at once, also of what was not sent yet."""


class SerialLink(Link):
    """The serial port at ``path``, which nobody else may have open. Raises :class:`LinkLostError`."""

    def __init__(self, path: str, baud: int) -> None:
        super().__init__(path)
        try:
            self._port = open_serial(path, baud, timeout_s=READ_S, write_timeout_s=WRITE_S)
        except (OSError, ValueError) as error:
            raise LinkLostError(f"{path}: {explain_opening(error)}") from error

    def read(self) -> bytes:
        """See :class:`Link`."""
        with self._unplugged():
            first: bytes = self._port.read(1)
            return first + self._port.read(self._port.in_waiting) if first else first

    def write(self, data: bytes) -> None:
        """See :class:`Link`."""
        try:
            with self._unplugged():
                self._port.write(data)
        except serial.SerialTimeoutException as error:
            raise LinkLostError(f"{self.name}: takes nothing for {WRITE_S:g} s") from error

    def close(self) -> None:
        """See :class:`Link`."""
        with suppress(Exception):  # of termios, which Windows does not have, among others
            # Else the system waits until a device that is stuck has taken it, on Linux for 30 s.
            self._port.reset_output_buffer()
        with suppress(OSError):
            self._port.close()

    @contextmanager
    def _unplugged(self) -> Iterator[None]:
        try:
            yield
        except serial.SerialTimeoutException:
            raise
        except OSError as error:
            raise LinkLostError(f"{self.name}: unplugged or switched off") from error


class TcpLink(Link):
    """A socket that carries the bytes of a serial port. Raises :class:`LinkLostError`."""

    refusal_hint = ": is another program connected to it, such as 'stinger run'?"

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"tcp://{f'[{host}]' if ':' in host else host}:{port}")
        try:
            self._socket = socket.create_connection((host, port), timeout=CONNECT_S)
        except TimeoutError as error:
            raise LinkLostError(f"{self.name}: no answer within {CONNECT_S:g} s") from error
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
        self._socket.settimeout(WRITE_S)
        try:
            self._socket.sendall(data)
        except TimeoutError as error:
            raise LinkLostError(f"{self.name}: takes nothing for {WRITE_S:g} s") from error
        except OSError as error:
            raise LinkLostError(f"{self.name}: {reason_of(error)}") from error

    def close(self) -> None:
        """See :class:`Link`."""
        self._socket.close()
