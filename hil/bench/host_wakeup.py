"""How late this machine wakes a process that sleeps: what no daemon on it can be blamed for.

Run as a process of its own: python -m hil.bench.host_wakeup FILE. It appends (monotonic ns, ns too late) pairs to FILE.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from hil.bench.processes import ChildProcess
from stinger.packages import python_module

EVERY_S: Final = 0.005
AT_MOST_S: Final = 2.0
"""What stands still for longer, such as a laptop with its lid closed, counts as that long."""
_PAIR: Final = np.dtype([("at_ns", "i8"), ("late_ns", "i8")])
_BLOCK: Final = 20
_FEWEST: Final = 50


class HostWakeupMonitor:
    """Measures while its ``child`` runs."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "host_noise.bin"
        command = python_module("hil.bench.host_wakeup", str(self._path))
        self.child = ChildProcess("measuring this machine", command, folder / "host_noise.log")

    def late_p99_ms(self, start_ns: int, end_ns: int) -> float | None:
        """The 99th percentile between two moments; ``None`` if that was not measured."""
        if not self._path.exists():
            return None
        data = self._path.read_bytes()
        pairs = np.frombuffer(data[: len(data) // _PAIR.itemsize * _PAIR.itemsize], dtype=_PAIR)
        late_ns = pairs["late_ns"][(pairs["at_ns"] >= start_ns) & (pairs["at_ns"] < end_ns)]
        return float(np.percentile(late_ns, 99)) / 1e6 if late_ns.size >= _FEWEST else None


def measure(path: Path) -> None:
    """Sleep again and again, until killed.

    Each moment of the schedule counts, those as well that passed while it was not woken: a stall delays every sample that
    was due in it, not one.
    """
    pairs = np.zeros(_BLOCK, dtype=_PAIR)
    due_ns = time.monotonic_ns()
    with path.open("ab", buffering=0) as file:
        while True:
            for i in range(_BLOCK):
                due_ns += round(EVERY_S * 1e9)
                time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
                now_ns = time.monotonic_ns()
                pairs[i] = (now_ns, now_ns - due_ns)
                due_ns = max(due_ns, now_ns - round(AT_MOST_S * 1e9))
            file.write(pairs.tobytes())


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
