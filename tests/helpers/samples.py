"""Samples for tests: at given times, of given bytes, random, or counting."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stinger.sample import SAMPLE_BYTES, SAMPLE_DTYPE, SampleArray, make_samples


def samples_at(
    times_ms: npt.ArrayLike, *, trigger: npt.ArrayLike | None = None, channels: npt.ArrayLike | None = None
) -> SampleArray:
    """Return samples at ``times_ms``; by default all channels are zero and the trigger is released."""
    times = np.asarray(times_ms, dtype=np.int64)
    count = times.shape[0]
    return make_samples(
        times,
        np.zeros((count, 6)) if channels is None else channels,
        np.zeros(count) if trigger is None else trigger,
    )


def samples_of_bytes(raw: bytes) -> SampleArray:
    """Return the whole records in ``raw`` as samples, with the trigger reduced to 0 or 1."""
    samples = np.frombuffer(raw[: len(raw) // SAMPLE_BYTES * SAMPLE_BYTES], dtype=SAMPLE_DTYPE).copy()
    samples["trigger"] &= 1
    return samples


def random_samples(count: int, *, first_ms: int = 0, seed: int = 1) -> SampleArray:
    """Return ``(count,)`` samples 10 ms apart from ``first_ms`` on, with random channels and trigger."""
    random = np.random.default_rng(seed)
    channels = random.integers(-32768, 32768, (count, 6))
    return make_samples(first_ms + 10 * np.arange(count), channels, random.integers(0, 2, count))


def counting_samples(first_ms: int, count: int, step_ms: float = 10) -> SampleArray:
    """Return ``(count,)`` samples ``step_ms`` apart whose channels count 0, 1, 2 and so on up to 999, without shots."""
    times = first_ms + np.floor(np.arange(count) * step_ms).astype(np.int64)
    channels = np.arange(count * 6).reshape(count, 6) % 1000
    return make_samples(times, channels, np.zeros(count))
