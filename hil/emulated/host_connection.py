"""Bytes to and from one host over a file descriptor, so that a host which does not read costs nothing."""

from __future__ import annotations

import asyncio
import math
import os
import select
from collections.abc import Callable
from typing import Final

READ_BYTES: Final = 4096
SLOW_S: Final = 0.02
"""How often a part of a slow answer is sent."""
ANSWERS_MAX_BYTES: Final = 65_536
"""With more than this unsent, no further line is heard: a host that asks and never reads cannot fill the memory."""


class HostConnection:
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
        self._bytes_s = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(fd, self._readable)

    def send_frame(self, data: bytes) -> bool:
        """Whether ``data`` went out; a part of it that the system had no room for follows before anything else."""
        if not self._open or self._unsent:
            return False
        sent = self._write(data)
        if 0 < sent < len(data):
            self._keep(data[sent:])
        return sent > 0

    def send_answer(self, data: bytes, *, bytes_s: float = math.inf) -> None:
        """Send ``data``, now or when the host reads, ``bytes_s`` a second; nothing happens if it is gone."""
        if not self._open or not data:
            return
        self._bytes_s = bytes_s
        sent = 0 if self._unsent or self._is_slow else self._write(data)
        if self._open and sent < len(data):
            self._keep(data[sent:])

    def close(self) -> None:
        """Watch the descriptor no longer."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            if self._timer is not None:
                self._timer.cancel()
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
        self._timer = None
        sent = self._write(self._unsent[: max(1, int(self._bytes_s * SLOW_S))] if self._is_slow else self._unsent)
        if not sent and self._open and hung_up(self._fd):  # a pty whose host is gone takes nothing and says nothing
            self._leave()
        if not self._open:
            return
        del self._unsent[:sent]
        if not self._unsent:
            self._loop.remove_writer(self._fd)
        elif self._is_slow:
            self._go_on()
        self._hear()
        if self._open and len(self._unsent) <= ANSWERS_MAX_BYTES:
            self._loop.add_reader(self._fd, self._readable)

    def _keep(self, data: bytes) -> None:
        self._unsent += data
        self._go_on()
        if len(self._unsent) > ANSWERS_MAX_BYTES:
            self._loop.remove_reader(self._fd)

    @property
    def _is_slow(self) -> bool:
        return self._bytes_s < math.inf

    def _go_on(self) -> None:
        """Send more as soon as there is room, or the time for it has come."""
        if not self._is_slow:
            self._loop.add_writer(self._fd, self._writable)
        elif self._timer is None:
            self._loop.remove_writer(self._fd)
            self._timer = self._loop.call_later(SLOW_S, self._writable)

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
