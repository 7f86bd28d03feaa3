"""Split a stream of bytes into text lines."""

from __future__ import annotations

from typing import Final

LINE_MAX_BYTES: Final = 1024
"""A line longer than this is noise and is dropped: without a limit, a sender that never ends its line fills the memory."""


def take_line(buffer: bytearray) -> str | None:
    r"""Remove the first line from ``buffer`` and return it without its end; ``None`` if there is no complete line.

    Bytes that are not ASCII become U+FFFD. ``buffer`` is emptied when it holds more than LINE_MAX_BYTES of one
    unfinished line; of a complete line that is longer, the last LINE_MAX_BYTES are returned.

    >>> buffer = bytearray(b"MLDUMP_DONE\r\n[ml")
    >>> take_line(buffer), take_line(buffer), buffer
    ('MLDUMP_DONE', None, bytearray(b'[ml'))
    """
    end = buffer.find(b"\n")
    if end < 0:
        if len(buffer) > LINE_MAX_BYTES:
            buffer.clear()
        return None
    line = bytes(buffer[max(0, end - LINE_MAX_BYTES) : end])
    del buffer[: end + 1]
    return line.rstrip(b"\r").decode("ascii", errors="replace")
