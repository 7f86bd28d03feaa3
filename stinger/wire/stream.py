"""The host's side of a stream of samples: the live stream, or the text stream of older firmware."""

from __future__ import annotations

from enum import Enum
from typing import Final

import numpy as np

from stinger.sample import SAMPLE_DTYPE, SAMPLE_RATE_HZ, SampleArray
from stinger.wire.commands import STREAM
from stinger.wire.frames import FrameBlock, FrameDecoder
from stinger.wire.text_stream import STARTED, TextStreamDecoder, is_row

UNDECIDED_MAX_BYTES: Final = 4096
"""The most bytes kept until the kind of stream is recognised."""


class StreamKind(Enum):
    """The kinds of stream that a blaster sends."""

    FRAMES = "live stream"
    TEXT = "text stream of older firmware"


class SampleStream:
    """Decodes the bytes of a link to samples; recognises the kind of stream by its first frame or row.

    ``kind`` is ``None`` until then. ``frames`` and ``text`` are the decoders, with their counters.
    """

    def __init__(self) -> None:
        self.kind: StreamKind | None = None
        self.frames = FrameDecoder()
        self.text = TextStreamDecoder()
        self._before = b""

    @staticmethod
    def start(rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
        """Return the command that starts a stream.

        Older firmware starts its stream at any character, so at this command too.
        """
        return f"{STREAM} {rate_hz}\n".encode("ascii")

    @staticmethod
    def stop() -> bytes:
        """Return the command that ends a live stream; older firmware streams until the port is closed."""
        return f"{STREAM} 0\n".encode("ascii")

    def feed(self, data: bytes) -> SampleArray:
        """Process the next bytes and return the samples ``(n,)`` that they complete."""
        if self.kind is StreamKind.TEXT:
            return self.text.feed(data)
        block = self.frames.feed(data)
        if self.kind is None:
            return self._recognise(data, block)
        return block.samples

    def find_single(self, data: bytes) -> bytes | None:
        """Return the sample record in ``data`` if that is just the next frame of a live stream, else ``None``.

        Has no effect; :meth:`take_single` then takes the frame.
        """
        return self.frames.find_single(data) if self.kind is StreamKind.FRAMES else None

    def take_single(self) -> None:
        """Count the frame that :meth:`find_single` has just found: its bytes are not for :meth:`feed`."""
        self.frames.take_single()

    def _recognise(self, data: bytes, block: FrameBlock) -> SampleArray:
        self._before = (self._before + data)[-UNDECIDED_MAX_BYTES:]
        if block.samples.size:
            self.kind = StreamKind.FRAMES
        elif any(line == STARTED or is_row(line) for line in (*block.lines, *_lines_ended_by_cr(self._before))):
            self.kind = StreamKind.TEXT
        else:
            return np.empty(0, dtype=SAMPLE_DTYPE)
        before, self._before = self._before, b""
        return block.samples if self.kind is StreamKind.FRAMES else self.text.feed(before)


def _lines_ended_by_cr(data: bytes) -> list[str]:
    """Return the lines in ``data`` that a carriage return alone ends, as some adapters have it."""
    return data.decode("ascii", errors="replace").split("\r")[:-1]
