"""A system clock for one process, set from outside with libfaketime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FAKETIME: Final = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
"""libfaketime, of Debian's package faketime; ``None`` if it is not installed."""


@dataclass
class FakeClock:
    """The clock of one process, which it reads from ``file``; its monotonic clock is the system's."""

    file: Path
    offset_s: float = 0.0
    """Difference from the true time; change it with :meth:`set`."""

    def set(self, offset_s: float) -> None:
        """Set the clock to the true time plus ``offset_s``."""
        self.offset_s = offset_s
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{offset_s:+.3f}")
        beside.replace(self.file)

    def command(self) -> tuple[str, ...]:
        """Return the beginning of a command line: the program behind it runs by this clock."""
        variables = {
            "LD_PRELOAD": FAKETIME,
            "FAKETIME_TIMESTAMP_FILE": self.file,
            "FAKETIME_NO_CACHE": 1,
            "DONT_FAKE_MONOTONIC": 1,
        }
        return ("env", *(f"{name}={value}" for name, value in variables.items()))
