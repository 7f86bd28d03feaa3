"""Bytes to and from one host over a file descriptor, so that a host which does not read costs nothing."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from typing import Final

READ_BYTES: Final = 4096
ANSWERS_MAX_BYTES: Final = 65_536
"""With more than this unsent, no further line is heard: a host that asks and never reads cannot fill the memory."""


class HostLine:
    """One host, from connecting to leaving. ``fd`` must not block; it stays the caller's to close.

    Frames are written at once or not at all; answers are kept until the host reads them, and frames that come in the
    meantime are dropped, as a USB CDC device does. ``on_left`` is called once, when the host is found gone.
    """

    def __init__(self, fd: int, on_bytes: Callable[[bytes], None], on_left: Callable[[], None]) -> None:
        self._fd = fd
        self._on_bytes = on_bytes
        self._on_left = on_left
        self._loop = asyncio.get_running_loop()
        self._unsent = bytearray()
        self._unheard = bytearray()
        self._open = True
        self._loop.add_reader(fd, self._readable)

    def send_frame(self, data: bytes) -> bool:
        """Whether ``data`` went out; a part of it that the system had no room for follows before anything else."""
        if not self._open or self._unsent:
            return False
        sent = self._write(data)
        if 0 < sent < len(data):
            self._keep(data[sent:])
        return sent > 0

    def send_answer(self, data: bytes) -> None:
        """Send ``data``, now or when the host reads; nothing happens if it is gone."""
        if not self._open or not data:
            return
        sent = 0 if self._unsent else self._write(data)
        if self._open and sent < len(data):
            self._keep(data[sent:])

    def close(self) -> None:
        """Watch the descriptor no longer."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._unsent.clear()
            self._unheard.clear()

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last one who had the pty open closed it; else the connection broke
            data = b""
        if data:
            self._unheard += data
            self._hear()
        else:
            self._leave()

    def _hear(self) -> None:
        """Pass on what was read, line by line, as long as there is room for answers."""
        while self._unheard and len(self._unsent) <= ANSWERS_MAX_BYTES:
            end = self._unheard.find(b"\n") + 1 or len(self._unheard)
            piece = bytes(self._unheard[:end])
            del self._unheard[:end]
            self._on_bytes(piece)

    def _writable(self) -> None:
        sent = self._write(self._unsent)
        if not sent and self._open and hung_up(self._fd):  # a pty whose host is gone takes nothing and says nothing
            self._leave()
        if not self._open:
            return
        del self._unsent[:sent]
        if not self._unsent:
            self._loop.remove_writer(self._fd)
        self._hear()
        if self._open and len(self._unsent) <= ANSWERS_MAX_BYTES:
            self._loop.add_reader(self._fd, self._readable)

    def _keep(self, data: bytes) -> None:
        self._unsent += data
        self._loop.add_writer(self._fd, self._writable)
        if len(self._unsent) > ANSWERS_MAX_BYTES:
            self._loop.remove_reader(self._fd)

    def _write(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            self._leave()
            return 0

    def _leave(self) -> None:
        if self._open:
            self.close()
            self._on_left()


def hung_up(fd: int) -> bool:
    """Whether nobody is at the other end of ``fd``."""
    ask = select.poll()
    ask.register(fd, 0)
    return any(event & select.POLLHUP for _, event in ask.poll(0))
