"""Compute the motion of the blaster from a script.

The motion is a trajectory of its orientation, and the acceleration that follows. Frame of the blaster: x right, y
muzzle, z up when level. Its orientation is yaw about the vertical, then pitch about x, then roll about y. Turn rates
are the derivative of that orientation, and gravity is rotated by it, so accelerometer and gyroscope are always
consistent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.synthetic.noise import Signal, band_noise, minimum_jerk, smoothed, wandering
from models.synthetic.recoil import add_recoil
from models.synthetic.script import LIE_ROLL_DEG, Movement, Script, Unrest
from models.synthetic.users import User
from stinger.sample import SAMPLE_RATE_HZ

GRAVITY_MPS2: Final = 9.80665

_SWAY_HZ: Final = (0.4, 1.6)
_HANDS_HZ: Final = (0.6, 4.0)
_GRASP_HZ: Final = (8.0, 50.0)
_RAMP_S: Final = 0.25
"""Changes in the strength of unrest are smoothed over this time."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Motion of a blaster at 100 Hz, in its own frame."""

    rate_dps: Signal
    """``(3, n)``: turn rate about x, y, z."""
    force_g: Signal
    """``(3, n)``: specific force, which an accelerometer measures: +1 on the axis that points up at rest."""


def move(script: Script, user: User, rng: np.random.Generator) -> Motion:
    """Compute the motion of a round, ``n = round(script.duration_s * 100)`` samples.

    The blaster is exactly still where it lies.
    """
    count = round(script.duration_s * SAMPLE_RATE_HZ)
    strength = {kind: _strength(script, kind, count) for kind in Unrest}
    angles = _turned(script.movements, count)
    angles[2] += LIE_ROLL_DEG  # the movements begin from the pose of lying
    angles += strength[Unrest.SWAY] * wandering(rng, count, *_SWAY_HZ)
    angles += strength[Unrest.TREMOR] * wandering(rng, count, 0.8 * user.tremor_hz, 1.2 * user.tremor_hz)
    push_g = strength[Unrest.HANDS] * band_noise(rng, count, *_HANDS_HZ)
    push_g += strength[Unrest.GRASP] * band_noise(rng, count, *_GRASP_HZ) * _occasional_peaks(rng, count)
    push_g += _steps(strength[Unrest.STEPS], user, rng)
    shake_g = np.zeros((3, count))
    add_recoil(script.pulls, rng, angles=angles, shake_g=shake_g)
    return _measured(np.radians(angles), push_g, shake_g, user)


def _turned(movements: Sequence[Movement], count: int) -> Signal:
    """Return yaw, pitch and roll ``(3, count)`` in degrees: the sum of the movements."""
    table = np.array([(m.start_s, m.duration_s, m.yaw, m.pitch, m.roll) for m in movements])
    start, duration = table[:, 0] * SAMPLE_RATE_HZ, table[:, 1] * SAMPLE_RATE_HZ
    first = np.ceil(start).astype(np.int64)
    lengths = np.maximum(np.ceil(start + duration).astype(np.int64) - first, 0)
    # The samples during each movement, one movement after another.
    which = np.repeat(np.arange(len(movements)), lengths)
    sample = np.arange(which.size) - np.repeat(np.cumsum(lengths) - lengths, lengths) + first[which]
    done = minimum_jerk((sample - start[which]) / duration[which])
    inside = sample < count
    after = np.minimum(first + lengths, count)
    angles = np.empty((3, count))
    for axis in range(3):
        amount = table[:, 2 + axis]
        during = np.bincount(sample[inside], weights=(done * amount[which])[inside], minlength=count)
        angles[axis] = during + np.cumsum(np.bincount(after, weights=amount, minlength=count + 1)[:count])
    return angles


def _strength(script: Script, kind: Unrest, count: int) -> Signal:
    """Return the strength of one kind of unrest at each sample ``(count,)``; zero while the blaster lies."""
    change = np.zeros(count + 1)
    for stretch in script.stretches:
        if stretch.kind is kind:
            change[round(stretch.start_s * SAMPLE_RATE_HZ)] += stretch.strength
            change[round(stretch.stop_s * SAMPLE_RATE_HZ)] -= stretch.strength
    return _in_hand(script, count) * smoothed(np.cumsum(change[:count]), _RAMP_S)


def _in_hand(script: Script, count: int) -> Signal:
    """Return 1 while the blaster is held, 0 while it lies, with ramps at the start and end of the time that it is held."""
    since = np.arange(count) / SAMPLE_RATE_HZ - script.picked_up_s
    left = script.put_down_s - np.arange(count) / SAMPLE_RATE_HZ
    return minimum_jerk(np.clip(np.minimum(since, left) / _RAMP_S, 0.0, 1.0))


def _occasional_peaks(rng: np.random.Generator, count: int) -> Signal:
    """Return an envelope ``(count,)`` that is mostly below 1 and sometimes well above, for single knocks."""
    noise: Signal = band_noise(rng, count, 1.0, 6.0, columns=1)[0]
    return noise * noise


def _steps(strength: Signal, user: User, rng: np.random.Generator) -> Signal:
    """Return the acceleration ``(3, n)`` in g of walking, in the walker's frame: twice vertical, once sideways per stride."""
    if not strength.any():
        return np.zeros((3, strength.size))
    wobble = 0.06 * band_noise(rng, strength.size, 0.05, 0.5, columns=1)[0]
    phase = 2 * np.pi * np.cumsum(user.step_hz * (1 + wobble)) / SAMPLE_RATE_HZ
    up = np.cos(phase) + 0.35 * np.cos(2 * phase + 0.8)
    return strength * np.stack((0.5 * np.sin(phase / 2), 0.3 * np.sin(phase), up))


def _measured(angles: Signal, push_g: Signal, shake_g: Signal, user: User) -> Motion:
    """Return what sensors in the blaster measure.

    ``angles`` are in radians; ``push_g`` is along the walker's axes, ``shake_g`` along those of the blaster.
    """
    _, pitch, roll = angles
    yaw_rate, pitch_rate, roll_rate = np.gradient(angles, 1 / SAMPLE_RATE_HZ, axis=1)
    sin_pitch, cos_pitch, sin_roll, cos_roll = np.sin(pitch), np.cos(pitch), np.sin(roll), np.cos(roll)

    def turned(right: Signal, ahead: Signal, up: Signal) -> Signal:
        """Rotate a vector from the walker's axes to those of the blaster."""
        muzzle = cos_pitch * ahead + sin_pitch * up
        above = cos_pitch * up - sin_pitch * ahead
        return np.stack((cos_roll * right - sin_roll * above, muzzle, sin_roll * right + cos_roll * above))

    nothing = np.zeros_like(pitch)
    rate = turned(nothing, nothing, np.asarray(yaw_rate))
    rate += np.stack((cos_roll * pitch_rate, roll_rate, sin_roll * pitch_rate))
    force = turned(push_g[0], push_g[1], push_g[2] + 1.0) + shake_g + _lever(rate, user.lever_m) / GRAVITY_MPS2
    return Motion(rate_dps=np.degrees(rate), force_g=force)


def _lever(rate: Signal, lever_m: Signal) -> Signal:
    """Return the acceleration ``(3, n)`` in m/s^2 of a point at ``lever_m`` ``(3,)`` in a body that turns at ``rate`` rad/s."""
    angular = np.gradient(rate, 1 / SAMPLE_RATE_HZ, axis=1)
    lever = lever_m[:, None]
    acceleration: Signal = np.cross(angular, lever, axis=0) + np.cross(rate, np.cross(rate, lever, axis=0), axis=0)
    return acceleration
