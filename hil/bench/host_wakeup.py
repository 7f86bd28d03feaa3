"""Measures how late this machine wakes a sleeping process: a delay that is not the daemon's fault.

Run as a process: python -P -m hil.bench.host_wakeup FILE. It appends pairs of int64 to FILE: monotonic ns, ns too late.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from hil.bench.processes import ChildProcess
from stinger.packages import python_module
from stinger.units import NS_PER_MS, NS_PER_S

INTERVAL_S: Final = 0.005
MAX_LATE_S: Final = 2.0
"""A longer standstill, such as that of a laptop with its lid closed, counts as this long."""
_PAIR: Final = np.dtype([("at_ns", "i8"), ("late_ns", "i8")])
_PAIRS_PER_WRITE: Final = 20
_MIN_PAIRS: Final = 50


@dataclass(frozen=True, slots=True)
class WakeupDelays:
    """How late sleeping processes were woken within some time."""

    p99_ms: float
    longest_ms: float


class HostWakeupMonitor:
    """Measures while its ``process`` runs."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "host_wakeup.bin"
        command = python_module("hil.bench.host_wakeup", str(self._path))
        self.process = ChildProcess("the wake-up monitor", command, folder / "host_wakeup.log")

    def delays(self, start_ns: int, end_ns: int) -> WakeupDelays | None:
        """Return the delays between two times; ``None`` if there are too few measurements."""
        if not self._path.exists():
            return None
        data = self._path.read_bytes()
        pairs = np.frombuffer(data[: len(data) // _PAIR.itemsize * _PAIR.itemsize], dtype=_PAIR)
        late_ns = pairs["late_ns"][(pairs["at_ns"] >= start_ns) & (pairs["at_ns"] < end_ns)]
        if late_ns.size < _MIN_PAIRS:
            return None
        return WakeupDelays(float(np.percentile(late_ns, 99)) / NS_PER_MS, float(late_ns.max()) / NS_PER_MS)


def measure(path: Path) -> None:
    """Sleep to each time of a fixed schedule, until killed or orphaned, and append the lateness to ``path``.

    Times of the schedule that passed during one late wake-up count as well: a stall delays every sample due in it, not
    just one.
    """
    pairs = np.zeros(_PAIRS_PER_WRITE, dtype=_PAIR)
    due_ns, parent = time.monotonic_ns(), os.getppid()
    with path.open("ab", buffering=0) as file:
        while os.getppid() == parent:
            for i in range(_PAIRS_PER_WRITE):
                due_ns += round(INTERVAL_S * NS_PER_S)
                time.sleep(max(0, due_ns - time.monotonic_ns()) / NS_PER_S)
                now_ns = time.monotonic_ns()
                pairs[i] = (now_ns, now_ns - due_ns)
                due_ns = max(due_ns, now_ns - round(MAX_LATE_S * NS_PER_S))
            file.write(pairs.tobytes())


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
