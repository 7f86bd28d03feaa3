"""Random signals in a frequency band, and the minimum-jerk profile of a movement."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.sample import SAMPLE_RATE_HZ

Signal = npt.NDArray[np.float64]

_GOOD_LENGTH: Final = 512
"""Lengths are rounded up to a multiple of this, for a fast Fourier transform."""


def band_noise(rng: np.random.Generator, count: int, low_hz: float, high_hz: float, columns: int = 3) -> Signal:
    """Draw Gaussian noise ``(columns, count)`` of variance 1 in the band from ``low_hz`` to ``high_hz`` (soft edges)."""
    _, weight = _band(count, low_hz, high_hz)
    return _noise(rng, weight, columns)[:, :count]


def wandering(rng: np.random.Generator, count: int, low_hz: float, high_hz: float) -> Signal:
    """Draw noise ``(3, count)`` around 0 whose derivative, per second, has variance 1 and is in the band."""
    frequency, weight = _band(count, low_hz, high_hz)
    weight[1:] /= 2 * np.pi * frequency[1:]
    return _noise(rng, weight, 3)[:, :count]


def _band(count: int, low_hz: float, high_hz: float) -> tuple[Signal, Signal]:
    """Return frequencies and amplitudes for a length of at least ``count``; the squares over both halves have mean 1."""
    length = -(-count // _GOOD_LENGTH) * _GOOD_LENGTH
    frequency = np.asarray(np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ), dtype=np.float64)
    weight = np.zeros_like(frequency)
    # The upper edge is steep: even a small rotation at 30 Hz needs an acceleration that no hand reaches.
    weight[1:] = 1 / np.sqrt((1 + (low_hz / frequency[1:]) ** 4) * (1 + (frequency[1:] / high_hz) ** 8))
    power = 2 * np.sum(weight**2) - weight[-1] ** 2
    return frequency, weight * np.sqrt(length / power)


def _noise(rng: np.random.Generator, weight: Signal, columns: int) -> Signal:
    length = 2 * (weight.size - 1)
    return np.fft.irfft(np.fft.rfft(rng.standard_normal((columns, length))) * weight, length)


def minimum_jerk(part: Signal) -> Signal:
    """Return the fraction of a movement that is done after the fraction ``part`` (0 to 1) of its time.

    Flash and Hogan, The coordination of arm movements, J. Neuroscience 5 (1985): 10 t^3 - 15 t^4 + 6 t^5.
    """
    return part**3 * (10.0 + part * (6.0 * part - 15.0))


def smoothed(steps: Signal, over_s: float) -> Signal:
    """Return ``steps`` ``(n,)`` averaged over ``over_s`` seconds around each sample, weighted by a Hann window."""
    width = 2 * round(over_s * SAMPLE_RATE_HZ / 2) + 1
    kernel = np.hanning(width + 2)[1:-1]
    return np.convolve(steps, kernel / kernel.sum(), mode="same")
