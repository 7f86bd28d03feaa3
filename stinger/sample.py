"""The sample record, as the blaster writes it, and the constants of its sensor.

Source of every number here: the Stinger firmware's record ``MlSample`` and its BMI270 settings.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

CHANNELS: Final = ("ax", "ay", "az", "gx", "gy", "gz")
"""The six axes, in the order used everywhere."""

SAMPLE_DTYPE: Final = np.dtype([("timestamp_ms", "<u4"), *((name, "<i2") for name in CHANNELS), ("trigger", "u1")])
"""One sample: 17 bytes, little-endian, packed. ``timestamp_ms`` counts from boot and wraps after 2**32."""

SAMPLE_BYTES: Final = 17
SAMPLE_RATE_HZ: Final = 100
IMU_RATE_HZ: Final = 1600
CLOCK_WRAP_MS: Final = 2**32

ACCEL_LSB_PER_G: Final = 2048.0
GYRO_LSB_PER_DPS: Final = 16.384

INT16_MIN: Final = -32768
INT16_MAX: Final = 32767

SampleArray = npt.NDArray[np.void]
"""``(n,)`` of :data:`SAMPLE_DTYPE`."""

# The same 17 bytes with the six axes as one field: gives all axes as one array without a copy.
_AXES_DTYPE: Final = np.dtype([("timestamp_ms", "<u4"), ("axes", "<i2", (6,)), ("trigger", "u1")])


def axes(samples: SampleArray) -> npt.NDArray[np.int16]:
    """Return the six channels of ``samples`` as ``(n, 6) int16`` in raw LSB: a view, not a copy."""
    view: npt.NDArray[np.int16] = samples.view(_AXES_DTYPE)["axes"]
    return view


def make_samples(timestamp_ms: npt.ArrayLike, channels: npt.ArrayLike, trigger: npt.ArrayLike) -> SampleArray:
    """Build ``(n,)`` samples from times ``(n,)`` in ms (taken modulo 2**32), channels ``(n, 6)`` and trigger ``(n,)``.

    The caller clips channels to int16 first; see :func:`clip_to_int16`.
    """
    times = np.asarray(timestamp_ms, dtype=np.int64)
    samples = np.zeros(times.shape[0], dtype=SAMPLE_DTYPE)
    samples["timestamp_ms"] = times % CLOCK_WRAP_MS
    axes(samples)[:] = np.asarray(channels)
    samples["trigger"] = np.asarray(trigger)
    return samples


def clip_to_int16(values: npt.NDArray[np.integer[Any]]) -> tuple[npt.NDArray[np.int16], int]:
    """Return ``values`` clipped to int16, and the number of values that were changed."""
    outside = int(np.count_nonzero((values < INT16_MIN) | (values > INT16_MAX)))
    return np.clip(values, INT16_MIN, INT16_MAX).astype(np.int16), outside
