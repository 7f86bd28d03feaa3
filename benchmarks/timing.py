"""Time several ways of doing one thing, in turn in one run.

A slow moment of the machine thus hits all of them.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping


def side_by_side(title: str, ways: Mapping[str, Callable[[], object]], *, rounds: int = 7) -> dict[str, float]:
    """Run each of ``ways`` once to warm up and then ``rounds`` times in turn; print and return the median seconds.

    The printed ratio is that of each way to the first one.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for lap in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if lap:
                seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(laps) for name, laps in seconds.items()}
    first = next(iter(medians.values()))
    print(f"\n{title}  (median of {rounds}, {platform.machine()}, Python {platform.python_version()})")
    for name, median in medians.items():
        lowest, highest = min(seconds[name]), max(seconds[name])
        print(
            f"  {name:<44}{median * 1e3:10.2f} ms   x{median / first:6.2f}"
            f"   ({lowest * 1e3:.2f} to {highest * 1e3:.2f})"
        )
    return medians
