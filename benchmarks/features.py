"""Compute features of a recording: one pass over its samples, compared with one window at a time in Python lists.

Run: python -m benchmarks.features. All ways give the same numbers to 1e-6.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from benchmarks.timing import side_by_side
from models.features import compute_features

WINDOWS = 9_000
WINDOW_SAMPLES = 50


def main() -> None:
    rng = np.random.default_rng(1)
    recording = rng.integers(-4000, 4000, (WINDOWS + WINDOW_SAMPLES - 1, 6)).astype(np.int16)
    windows = np.lib.stride_tricks.sliding_window_view(recording, WINDOW_SAMPLES, axis=0).transpose(0, 2, 1)
    apart = np.ascontiguousarray(windows)
    rows = windows.tolist()
    np.testing.assert_allclose(
        compute_features(windows, "rich"), [list_features(row, rich=True) for row in rows], rtol=1e-6, atol=1e-3
    )
    for name in ("summary", "rich"):
        side_by_side(
            f"{name} features of {WINDOWS:,} windows, one ending at each sample",
            {
                "compute_features, windows of a recording": partial(compute_features, windows, name),
                "compute_features, windows copied apart": partial(compute_features, apart, name),
                "lists, a window at a time": partial(_all_lists, rows, rich=name == "rich"),
            },
            rounds=3,
        )


def _all_lists(rows: list[list[list[int]]], *, rich: bool) -> list[list[float]]:
    return [list_features(row, rich=rich) for row in rows]


def list_features(window: list[list[int]], *, rich: bool) -> list[float]:
    """Compute the features of one window, a list of samples of six numbers, as a script without NumPy does."""
    channels = list(zip(*window, strict=True))
    features = [sum(values) / len(values) for values in channels]
    features += [_deviation(values) for values in channels]
    features += [max(abs(value) for value in values) for values in channels]
    if rich:
        features += [sum(abs(value) for value in values) / len(values) for values in channels]
        for first in (0, 3):
            magnitude = [math.sqrt(sum(value * value for value in sample[first : first + 3])) for sample in window]
            features += [sum(magnitude) / len(magnitude), _deviation(magnitude), max(magnitude)]
    return features


def _deviation(values: list[float] | tuple[int, ...]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))


if __name__ == "__main__":
    main()
