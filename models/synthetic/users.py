"""Users: how a person holds, moves and shoots. A user is identified by a number, the same person for every seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

_USERS: Final = 0x75736572
"""Separates the random numbers for users from those for sessions."""

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class User:
    """One person with one blaster. Angles in degrees, turn rates in deg/s (root mean square), durations in seconds.

    Pitch is the muzzle above the horizon, roll the cant to the right.
    """

    number: int
    mounting: Vector
    """``(3, 3)``: rotates a vector from the blaster's frame (x right, y muzzle, z up) to that of the sensor."""
    lever_m: Vector
    """``(3,)``: from the centre of rotation, near the wrist, to the sensor."""
    vigour: float
    """Speed of movements, about 1."""
    sway_dps: float
    """Slow wandering of the blaster while it is aimed."""
    tremor_dps: float
    tremor_hz: float
    carry_pitch: float
    """Pitch while not aiming: muzzle down."""
    aim_pitch: float
    aim_roll: float
    dwell_s: float
    """Reaction time: median from the end of raising to the decision."""
    tense_s: float
    """Median from the decision to the trigger's edge."""
    tense_deg: float
    """Movement of the muzzle while the finger tightens; negative is down."""
    steadies: float
    """Factor on sway and tremor while the finger tightens, because the user holds the breath."""
    step_hz: float
    step_g: float
    """Peak of the vertical acceleration of a step."""
    feints: float
    """Fraction of aims that end without a shot."""
    snaps: float
    """Fraction of aims without dwell: decided while raising."""
    bursts: float
    """Fraction of shots followed by another pull at once."""
    follow_ups: float
    """Fraction of aims followed by another target without lowering."""
    restlessness: float
    """Weight of walking and handling relative to aiming."""


def draw_user(number: int) -> User:
    """Return the user with ``number``, 0 or more: always the same."""
    rng = np.random.default_rng([_USERS, number])
    return User(
        number=number,
        mounting=_rotation(np.radians(rng.uniform(-6.0, 6.0, 3))),
        lever_m=np.array([0.02, 0.10, 0.03]) + rng.uniform(-0.03, 0.03, 3),
        vigour=rng.uniform(0.85, 1.3),
        sway_dps=rng.uniform(5.0, 9.0),
        tremor_dps=rng.uniform(0.6, 2.5),
        tremor_hz=rng.uniform(7.0, 11.0),
        carry_pitch=rng.uniform(-58.0, -34.0),
        aim_pitch=rng.uniform(-10.0, 4.0),
        aim_roll=rng.uniform(-8.0, 8.0),
        dwell_s=rng.uniform(0.16, 0.34),
        tense_s=rng.uniform(0.20, 0.34),
        tense_deg=rng.uniform(-3.0, -1.0),
        steadies=rng.uniform(0.3, 0.8),
        step_hz=rng.uniform(1.6, 2.2),
        step_g=rng.uniform(0.08, 0.25),
        feints=rng.uniform(0.14, 0.22),
        snaps=rng.uniform(0.05, 0.20),
        bursts=rng.uniform(0.08, 0.25),
        follow_ups=rng.uniform(0.20, 0.45),
        restlessness=rng.uniform(0.9, 1.3),
    )


def _rotation(vector: Vector) -> Vector:
    """Return the rotation matrix ``(3, 3)`` of a rotation vector ``(3,)`` in radians (Rodrigues' formula)."""
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation: Vector = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)
    return rotation
