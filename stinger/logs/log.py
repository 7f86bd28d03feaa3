"""The content of a log file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.logs.records import CutBytes
from stinger.marks import Marks
from stinger.recording import Recording
from stinger.sample import CHANNELS, SampleArray
from stinger.wording import counted

CSV_COLUMNS: Final = ("timestamp_ms", *CHANNELS, "trigger")
CAPTURE_COLUMNS: Final = ("accel_x", "accel_y", "accel_z", "gyro_x", "gyro_y", "gyro_z", "trigger_state")

_PLACES_SHOWN: Final = 3


class LogFormat(Enum):
    """The formats of log files; the value is the name shown to users."""

    BIN = "sample records (.bin)"
    CSV = "CSV (.csv)"
    CAPTURE = "capture CSV of older firmware"
    BUNDLE = "bundle of recordings (.zip)"


@dataclass(frozen=True, slots=True)
class Repairs:
    """What was left out or changed while reading. Nothing else was changed."""

    clipped: int = 0
    """Channel values outside int16, clipped to it."""
    trailing_bytes: int = 0
    """Bytes at the end of a ``.bin`` that did not fill a record, ignored."""
    zeros: tuple[CutBytes, ...] = ()
    """Stretches of zero bytes, as a power cut leaves them."""
    damaged: tuple[CutBytes, ...] = ()
    """Stretches of other bytes of a ``.bin`` that are not sample records."""
    torn_lines: tuple[int, ...] = ()
    """Numbers of the lines of a CSV that were written in part only: the last one, and those with zeros."""
    late: tuple[str, ...] = ()
    """The places, such as ``line 7`` or ``byte 34``, of samples that were left out: a little older than one before, or
    repeated."""

    untimed: tuple[str, ...] = ()
    """The places of samples that were left out as the device's clock started over too often to be used."""

    @property
    def zero_bytes(self) -> int:
        """Number of zero bytes that were cut."""
        return sum(cut.size for cut in self.zeros)

    @property
    def damaged_bytes(self) -> int:
        """Number of other bytes that were cut."""
        return sum(cut.size for cut in self.damaged)

    def messages(self) -> list[str]:
        """Return a line for users for each kind of repair; none if the file needed no repair."""
        lines = []
        if self.clipped:
            lines.append(f"clipped {counted(self.clipped, 'value')} outside int16 (-32768 to 32767)")
        if self.trailing_bytes:
            lines.append(f"ignored {counted(self.trailing_bytes, 'trailing byte')} that do not fill a 17-byte record")
        if self.zeros:
            lines.append(f"cut {counted(self.zero_bytes, 'zero byte')} at {_byte_places(self.zeros)}")
        if self.damaged:
            places = _byte_places(self.damaged)
            lines.append(f"left out {counted(self.damaged_bytes, 'byte')} that are not sample records at {places}")
        if self.torn_lines:
            places = _places(tuple(f"line {line}" for line in self.torn_lines))
            lines.append(f"left out {counted(len(self.torn_lines), 'line')} not written completely: {places}")
        if self.late:
            lines.append(f"left out {counted(len(self.late), 'late or repeated sample')} at {_places(self.late)}")
        if self.untimed:
            what = counted(len(self.untimed), "sample")
            lines.append(f"left out {what} whose times run backwards or at random, from {self.untimed[0]} on")
        return lines


def _byte_places(cuts: tuple[CutBytes, ...]) -> str:
    return _places(tuple(f"byte {cut.at}" for cut in cuts))


def _places(places: tuple[str, ...]) -> str:
    return ", ".join(places[:_PLACES_SHOWN]) + (", ..." if len(places) > _PLACES_SHOWN else "")


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """The content of one log file.

    ``samples`` ``(n,)`` are in the order of the file (n >= 1), and are split into ``recordings``. Neither contains what
    :class:`Repairs` lists as left out.
    """

    path: str
    format: LogFormat
    samples: SampleArray
    recordings: tuple[Recording, ...]
    repairs: Repairs
    sha256: str
    """Of the file's bytes, in hex."""
    readings: npt.NDArray[np.int16] | None = None
    """Of a capture CSV: its channels at the full rate, ``(m, 6)``, of which only every 16th row is a sample; else
    ``None``."""
    marks: tuple[Marks, ...] = ()
    """Of the recordings, in their order; there may be fewer, as the last ones may have none. Set by
    ``read_marked_log``, and of a bundle by all functions that read it."""

    def marks_of(self, position: int) -> Marks:
        """Return the marks of the recording at ``position``."""
        return self.marks[position] if position < len(self.marks) else Marks()

    def with_marks_of(self, copy: Log) -> Log:
        """Return this log with its marks and those of ``copy``, a log with the same content."""
        count = max(len(self.marks), len(copy.marks))
        return replace(self, marks=tuple(self.marks_of(at).union(copy.marks_of(at)) for at in range(count)))

    def marked_texts(self) -> list[str]:
        """Return a line for users for each recording with marks."""
        several = len(self.recordings) > 1
        return [
            f"{f'recording {number}: ' if several else ''}marked: {marks.text()}"
            for number, marks in enumerate(self.marks[: len(self.recordings)], start=1)
            if marks
        ]
