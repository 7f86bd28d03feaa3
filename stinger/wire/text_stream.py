"""The text stream of older firmware.

It has 1600 lines ``ax;ay;az;gx;gy;gz;trigger`` per second, without time or checksum.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from stinger.sample import IMU_RATE_HZ, SAMPLE_RATE_HZ, SampleArray, axes, clip_to_int16, make_samples
from stinger.wire.lines import LINE_MAX_BYTES

STARTED: Final = "--- ML Data Stream Started ---"
"""The line that older firmware sends after the first character that it receives."""

_ROW: Final = re.compile(rb"(-?\d{1,6});(-?\d{1,6});(-?\d{1,6});(-?\d{1,6});(-?\d{1,6});(-?\d{1,6});([01])")
_LINE_END: Final = re.compile(rb"\r\n?|\n")
"""Adapters and terminals turn the firmware's CR LF into one of the two."""


def is_row(line: str) -> bool:
    """Return whether ``line``, without its end, is a complete row of the text stream.

    >>> is_row("12;-3;2048;0;1;-1;0"), is_row("12;-3;20")
    (True, False)
    """
    return _ROW.fullmatch(line.encode("ascii", errors="replace")) is not None


def encode_rows(samples: SampleArray) -> bytes:
    """Return one line of the stream for each of ``samples`` ``(n,)``."""
    rows = zip(axes(samples).tolist(), samples["trigger"].tolist(), strict=True)
    return "".join(f"{';'.join(map(str, channels))};{trigger}\r\n" for channels, trigger in rows).encode("ascii")


class TextStreamDecoder:
    """Decodes rows to samples at 100 Hz: every ``every``-th row becomes one.

    Times come from counting rows at ``rate_hz``.

    A cut or malformed line is skipped, but counts as one row of time. Counters since the start: complete ``rows``,
    ``malformed`` lines, channel values ``clipped`` to int16. At most LINE_MAX_BYTES of an unfinished line are kept.
    """

    def __init__(self, *, rate_hz: float = IMU_RATE_HZ, every: int = IMU_RATE_HZ // SAMPLE_RATE_HZ) -> None:
        self.rows = 0
        self.malformed = 0
        self.clipped = 0
        self._step_ms = 1000.0 / rate_hz
        self._every = every
        self._position = 0  # of the next line, in rows since the start
        self._tail = b""

    def feed(self, data: bytes) -> SampleArray:
        """Process the next bytes of the stream and return the samples ``(n,)`` that they complete."""
        *lines, tail = _LINE_END.split(self._tail + data)
        self._tail = tail[-LINE_MAX_BYTES:]  # a longer line is malformed, and stays so when cut
        positions: list[int] = []
        values: list[tuple[bytes, ...]] = []
        for line in lines:
            row = _ROW.fullmatch(line)
            if row is None:
                if not line.strip() or line.strip() == STARTED.encode():
                    continue
                self.malformed += 1
            else:
                self.rows += 1
                if self._position % self._every == 0:
                    positions.append(self._position)
                    values.append(row.groups())
            self._position += 1
        table = np.array(values, dtype=np.int64).reshape(len(values), 7)
        channels, clipped = clip_to_int16(table[:, :6])
        self.clipped += clipped
        time_ms = np.rint(np.array(positions, dtype=np.float64) * self._step_ms).astype(np.int64)
        return make_samples(time_ms, channels, table[:, 6])
