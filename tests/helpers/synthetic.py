"""Synthetic recordings of any length from a seed, for tests and benchmarks: handling, aiming, shots, bursts, pauses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stinger.sample import ACCEL_LSB_PER_G, INT16_MAX, INT16_MIN, SampleArray, make_samples

STEP_MS = 10
_PULL_SAMPLES = 12
_AIM_SAMPLES = 70


def synthetic_samples(count: int, shots: int, *, seed: int = 1, gaps: int = 0, bursts: int = 0) -> SampleArray:
    """Return ``(count,)`` samples at 100 Hz with ``shots`` trigger pulls; ``bursts`` of them repeat 300 ms later.

    The motion drifts in strength. Before each pull the blaster is swung up and then held; at the pull it kicks.
    ``gaps`` is the number of pauses of 1.5 to 8 s in the recording.
    """
    rng = np.random.default_rng(seed)
    slot = count / shots
    pulls = ((np.arange(shots) + 0.5 + rng.uniform(-0.2, 0.2, shots)) * slot).astype(np.intp)
    pulls = pulls[(pulls > _AIM_SAMPLES) & (pulls < count - _PULL_SAMPLES - 30)]
    again = pulls[rng.permutation(pulls.size)[:bursts]] + 30

    strength = np.exp(_smooth(rng.normal(size=count), 400) * 12)
    channels = np.empty((count, 6))
    for axis in range(6):
        channels[:, axis] = _smooth(rng.normal(size=count), 20) * strength * (1500 if axis < 3 else 4000)
    channels[:, 2] += ACCEL_LSB_PER_G
    channels += rng.normal(scale=25, size=channels.shape)
    aim = np.sin(np.linspace(0, np.pi, _AIM_SAMPLES)) ** 2
    for before in range(_AIM_SAMPLES):
        at = pulls - _AIM_SAMPLES + before
        channels[at, 4] += 2500 * aim[before]
        channels[at, 0] -= 900 * aim[before]
    trigger = np.zeros(count, dtype=np.uint8)
    for after in range(_PULL_SAMPLES):
        at = np.concatenate((pulls, again)) + after
        trigger[at] = 1
        channels[at, 0] += 9000 * (-0.6) ** after
        channels[at, 3] += 3000 * (-0.7) ** after
    steps = np.full(count, STEP_MS)
    steps[0] = 0
    steps[rng.integers(1, count, gaps)] += rng.integers(1500, 8000, gaps)
    return make_samples(np.cumsum(steps), np.clip(np.rint(channels), INT16_MIN, INT16_MAX), trigger)


def _smooth(noise: npt.NDArray[np.float64], width: int) -> npt.NDArray[np.float64]:
    """Return ``noise`` averaged twice over ``width`` samples: a slow drift of the same length."""
    for _ in range(2):
        total = np.cumsum(np.concatenate((np.zeros(width), noise)))
        noise = (total[width:] - total[:-width]) / width
    return noise
