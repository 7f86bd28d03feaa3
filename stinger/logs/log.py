"""The content of a log file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from stinger.recording import Recording
from stinger.sample import CHANNELS, SampleArray
from stinger.wording import counted

CSV_COLUMNS: Final = ("timestamp_ms", *CHANNELS, "trigger")
CAPTURE_COLUMNS: Final = ("accel_x", "accel_y", "accel_z", "gyro_x", "gyro_y", "gyro_z", "trigger_state")


class LogFormat(Enum):
    """The formats of log files; the value is the name shown to users."""

    BIN = "sample records (.bin)"
    CSV = "CSV (.csv)"
    CAPTURE = "capture CSV of older firmware"


@dataclass(frozen=True, slots=True)
class Repairs:
    """The number of repairs made while reading. Nothing else was changed."""

    clipped: int = 0
    """Channel values outside int16, clipped to it."""
    trailing_bytes: int = 0
    """Bytes at the end of a ``.bin`` that did not fill a record, ignored."""

    def messages(self) -> list[str]:
        """Return a line for users for each kind of repair; none if the file needed no repair."""
        lines = []
        if self.clipped:
            lines.append(f"clipped {counted(self.clipped, 'value')} outside int16 (-32768 to 32767)")
        if self.trailing_bytes:
            lines.append(f"ignored {counted(self.trailing_bytes, 'trailing byte')} that do not fill a 17-byte record")
        return lines


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """One log file: its samples ``(n,)`` in the order of the file (n >= 1), and the recordings they are split into."""

    path: str
    format: LogFormat
    samples: SampleArray
    recordings: tuple[Recording, ...]
    repairs: Repairs
    sha256: str
    """Of the file's bytes, in hex."""
