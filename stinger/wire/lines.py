"""Text lines out of bytes that come in pieces."""

from __future__ import annotations

from typing import Final

LINE_MAX_BYTES: Final = 1024
"""A line longer than this is noise and is dropped: without a limit, a sender that never ends its line fills the memory."""


def take_line(buffer: bytearray) -> str | None:
    """Remove the first line from ``buffer`` and return it without its end; ``None`` while there is no whole one.

    Bytes that are not ASCII come out as U+FFFD. ``buffer`` is emptied when it holds more than LINE_MAX_BYTES of one
    unfinished line; a whole line longer than that comes out cut to its last LINE_MAX_BYTES.
    """
    end = buffer.find(b"\n")
    if end < 0:
        if len(buffer) > LINE_MAX_BYTES:
            buffer.clear()
        return None
    line = bytes(buffer[max(0, end - LINE_MAX_BYTES) : end])
    del buffer[: end + 1]
    return line.rstrip(b"\r").decode("ascii", errors="replace")
