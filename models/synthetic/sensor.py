"""The motion sensor: converts physical units to raw LSB.

The conversion includes mounting error, offset, noise, rounding and clipping.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.synthetic.motion import Motion
from models.synthetic.noise import Signal
from models.synthetic.users import User
from stinger.sample import ACCEL_LSB_PER_G, GYRO_LSB_PER_DPS, clip_to_int16

REST_GYRO_LSB: Final = (22.0, 36.0)
"""Range of the gyroscope's noise at rest: root mean square of its magnitude, as the motion gate computes it."""
ACCEL_NOISE_LSB: Final = 7.0

_GYRO_OFFSET_LSB: Final = 2.5
_ACCEL_OFFSET_LSB: Final = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class Sensor:
    """The errors of a sensor during one boot."""

    gyro_noise_lsb: float
    """Per axis, RMS."""
    offset_lsb: Signal
    """``(6, 1)``."""


def draw_sensor(rng: np.random.Generator) -> Sensor:
    """Draw a sensor with usual noise and offsets."""
    offset = np.concatenate((rng.normal(0.0, _ACCEL_OFFSET_LSB, 3), rng.normal(0.0, _GYRO_OFFSET_LSB, 3)))
    return Sensor(gyro_noise_lsb=rng.uniform(*REST_GYRO_LSB) / np.sqrt(3.0), offset_lsb=offset[:, None])


def sense(motion: Motion, sensor: Sensor, user: User, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Return the six channels ``(n, 6) int16`` in raw LSB: rotated as the sensor is mounted, noisy, rounded, clipped."""
    count = motion.rate_dps.shape[1]
    raw = rng.standard_normal((6, count))
    raw[:3] *= ACCEL_NOISE_LSB
    raw[3:] *= sensor.gyro_noise_lsb
    raw += sensor.offset_lsb
    raw[:3] += ACCEL_LSB_PER_G * (user.mounting @ motion.force_g)
    raw[3:] += GYRO_LSB_PER_DPS * (user.mounting @ motion.rate_dps)
    whole: npt.NDArray[np.integer[Any]] = np.rint(raw).astype(np.int64)
    return np.ascontiguousarray(clip_to_int16(whole)[0].T)
