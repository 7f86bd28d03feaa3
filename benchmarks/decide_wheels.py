"""Decide on wheels for blocks of different sizes, compared with a simple implementation of the rule.

Run: python -m benchmarks.decide_wheels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.timing import side_by_side
from models.decision import Decision

SAMPLES = 90_000

Times = npt.NDArray[np.int64]
Outputs = npt.NDArray[np.float32]


def row_by_row(probability: Outputs) -> list[bool]:
    """Apply envelope and hysteresis only, with NumPy scalars: without gaps and timeout."""
    s, on = 0.0, False
    wheels = []
    for p in probability:
        s += (0.18 if p > s else 0.03) * (p - s)
        on = s >= 0.25 if on else s >= 0.5
        wheels.append(on)
    return wheels


def in_blocks(times: Times, probability: Outputs, size: int) -> None:
    decision = Decision()
    for start in range(0, times.size, size):
        decision.push(times[start : start + size], probability[start : start + size])


def main() -> None:
    rng = np.random.default_rng(1)
    probability = np.clip(np.convolve(rng.normal(size=SAMPLES), np.ones(30) / 8, "same"), 0, 1).astype(np.float32)
    times = np.arange(SAMPLES) * 10
    lossy = probability.copy()
    lossy[rng.random(SAMPLES) < 0.1] = np.nan
    medians = side_by_side(
        f"{SAMPLES:,} outputs (15 minutes)",
        {
            "at once": lambda: in_blocks(times, probability, SAMPLES),
            "at once, one in ten missing": lambda: in_blocks(times, lossy, SAMPLES),
            "in blocks of 100": lambda: in_blocks(times, probability, 100),
            "one by one": lambda: in_blocks(times, probability, 1),
            "the rule row by row, on a whole array": lambda: row_by_row(probability),
        },
    )
    print(f"  one by one: {medians['one by one'] / SAMPLES * 1e6:.1f} us a sample")


if __name__ == "__main__":
    main()
