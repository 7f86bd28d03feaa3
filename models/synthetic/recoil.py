"""The effect of a shot on the blaster: two knocks of the pusher, and the hum of the flywheels until they stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from models.synthetic.noise import Signal
from models.synthetic.script import Pull
from stinger.sample import SAMPLE_RATE_HZ

KNOCK_G: Final = 5.5
"""Median of the strongest knock of a shot; a few in a hundred reach the sensor's 16 g, as they do on a real blaster."""
KNOCK_SPREAD: Final = 0.6
"""Standard deviation of its logarithm."""
HUM_G: Final = 0.16
"""Hum of the flywheels right after a shot, RMS."""
HUM_DECAY_S: Final = 0.45
HUM_S: Final = 1.4
"""Duration of the hum, shorter than the time to put the blaster down."""

_KNOCKS: Final = (((0.05, 0.08), 0.45), ((0.11, 0.16), 1.0))
"""Pusher forward, pusher back: range of the time after the pull, and relative strength."""
_KNOCK_SHAPE: Final = np.array([0.35, 1.0, 0.5, 0.2])
_JOLT_DEG_PER_G: Final = 0.03
_HUM_DEG: Final = 0.015


def add_recoil(pulls: Sequence[Pull], rng: np.random.Generator, *, angles: Signal, shake_g: Signal) -> None:
    """Add the recoil of ``pulls`` to ``angles`` (degrees) and ``shake_g``, both ``(3, n)``, in place."""
    count = angles.shape[1]
    for pull in pulls:
        strength = KNOCK_G * rng.lognormal(0.0, KNOCK_SPREAD)
        for (earliest, latest), part in _KNOCKS:
            first = round((pull.time_s + rng.uniform(earliest, latest)) * SAMPLE_RATE_HZ)
            shape = strength * part * _KNOCK_SHAPE[: max(count - first, 0)]
            shake_g[:, first : first + shape.size] += shape * _directions(rng, shape.size)
            angles[:, first : first + shape.size] += _JOLT_DEG_PER_G * shape * _directions(rng, shape.size)
        first = round((pull.time_s + 0.05) * SAMPLE_RATE_HZ)
        size = min(round(HUM_S * SAMPLE_RATE_HZ), max(count - first, 0))
        hum = np.exp(-np.arange(size) / (HUM_DECAY_S * SAMPLE_RATE_HZ)) * rng.uniform(0.6, 1.4)
        shake_g[:, first : first + size] += HUM_G * hum * rng.standard_normal((3, size))
        angles[:, first : first + size] += _HUM_DEG * hum * rng.standard_normal((3, size))


def _directions(rng: np.random.Generator, count: int) -> Signal:
    """Draw ``(3, count)`` unit vectors: at 100 Hz, the ringing of a knock is sampled at random phases."""
    vectors = rng.standard_normal((3, count))
    directions: Signal = vectors / np.linalg.norm(vectors, axis=0)
    return directions
