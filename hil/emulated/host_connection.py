"""Exchanges bytes with one host over a pty or a socket, without blocking when the host does not read."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final, Protocol

READ_BYTES: Final = 4096
SLOW_INTERVAL_S: Final = 0.02
"""Interval at which parts of a rate-limited answer are sent."""
MAX_UNSENT_BYTES: Final = 65_536
"""While more bytes are unsent, no further line is read: a host that asks and never reads cannot fill the memory."""


class ByteChannel(Protocol):
    """A pty or a socket that does not block; the calls are those of the system, and raise its errors."""

    def fileno(self) -> int:
        """Return the descriptor for the event loop to watch."""

    def read(self, size: int) -> bytes:
        """Return at most ``size`` received bytes; none if the other end is closed."""

    def write(self, data: bytes | bytearray) -> int:
        """Send ``data``; return the number of bytes that the system accepted."""

    def is_hung_up(self) -> bool:
        """Return whether the other end is closed, if writing does not show it."""


class HostConnection:
    """One host, from connecting to leaving. The caller closes ``channel``.

    Frames are written at once or not at all. Answers are kept until the host reads them, and frames that come in the
    meantime are dropped, as a USB CDC device does. ``on_closed`` is called once, when the host is found to be gone.
    """

    def __init__(self, channel: ByteChannel, on_data: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        self._channel = channel
        self._fd = channel.fileno()
        self._on_data = on_data
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._unsent = bytearray()
        self._unprocessed = bytearray()
        self._open = True
        self._bytes_per_s = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._fd, self._readable)

    def send_frame(self, data: bytes) -> bool:
        """Write ``data``, and return whether it was accepted.

        If the system accepts only a part, the rest is sent before anything else.
        """
        if not self._open or self._unsent:
            return False
        sent = self._write(data)
        if 0 < sent < len(data):
            self._keep(data[sent:])
        return sent > 0

    def send_answer(self, data: bytes, *, bytes_per_s: float = math.inf) -> None:
        """Send ``data`` now or when the host reads, at no more than ``bytes_per_s``; do nothing if the host is gone."""
        if not self._open or not data:
            return
        self._bytes_per_s = bytes_per_s
        sent = 0 if self._unsent or self._is_limited else self._write(data)
        if self._open and sent < len(data):
            self._keep(data[sent:])

    def close(self) -> None:
        """Stop watching the descriptor."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            if self._timer is not None:
                self._timer.cancel()
            self._unsent.clear()
            self._unprocessed.clear()

    def _readable(self) -> None:
        try:
            data = self._channel.read(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last process that had the pty open closed it; otherwise the connection broke
            data = b""
        if data:
            self._unprocessed += data
            self._process_lines()
        else:
            self._host_gone()

    def _process_lines(self) -> None:
        """Pass on what was read, line by line, as long as there is room for answers."""
        while self._unprocessed and len(self._unsent) <= MAX_UNSENT_BYTES:
            end = self._unprocessed.find(b"\n") + 1 or len(self._unprocessed)
            line = bytes(self._unprocessed[:end])
            del self._unprocessed[:end]
            self._on_data(line)

    def _writable(self) -> None:
        self._timer = None
        part_bytes = max(1, int(self._bytes_per_s * SLOW_INTERVAL_S)) if self._is_limited else None
        sent = self._write(self._unsent if part_bytes is None else self._unsent[:part_bytes])
        # A pty without a host accepts nothing, and reports no error.
        if not sent and self._open and self._channel.is_hung_up():
            self._host_gone()
        if not self._open:
            return
        del self._unsent[:sent]
        if not self._unsent:
            self._loop.remove_writer(self._fd)
        elif self._is_limited:
            self._schedule_write()
        self._process_lines()
        if self._open and len(self._unsent) <= MAX_UNSENT_BYTES:
            self._loop.add_reader(self._fd, self._readable)

    def _keep(self, data: bytes) -> None:
        self._unsent += data
        self._schedule_write()
        if len(self._unsent) > MAX_UNSENT_BYTES:
            self._loop.remove_reader(self._fd)

    @property
    def _is_limited(self) -> bool:
        return self._bytes_per_s < math.inf

    def _schedule_write(self) -> None:
        """Write more as soon as there is room or, with a limited rate, after the interval."""
        if not self._is_limited:
            self._loop.add_writer(self._fd, self._writable)
        elif self._timer is None:
            self._loop.remove_writer(self._fd)
            self._timer = self._loop.call_later(SLOW_INTERVAL_S, self._writable)

    def _write(self, data: bytes | bytearray) -> int:
        try:
            return self._channel.write(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._host_gone()
            return 0

    def _host_gone(self) -> None:
        if self._open:
            self.close()
            self._on_closed()
