"""Users: how someone holds, moves and shoots. A user is known by a number and is the same person under every seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

_USERS: Final = 0x75736572
"""Keeps the random numbers that make a user apart from those that make a session."""

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class User:
    """One person with one blaster. Angles in degrees, turn rates in deg/s (root mean square), durations in seconds.

    Pitch is the muzzle above the horizon, roll the cant to the right.
    """

    number: int
    mounting: Vector
    """``(3, 3)``: turns a vector of the blaster (x right, y muzzle, z up) into one of the sensor."""
    lever_m: Vector
    """``(3,)``: from the point that the blaster turns about, near the wrist, to the sensor."""
    vigour: float
    """How fast movements are, 1 on average."""
    sway_dps: float
    """Slow wandering of the blaster while it is aimed."""
    tremor_dps: float
    tremor_hz: float
    carry_pitch: float
    """While not aiming: muzzle down."""
    aim_pitch: float
    aim_roll: float
    dwell_s: float
    """Reaction time: median from the end of the raise to the decision."""
    tense_s: float
    """Median from the decision to the trigger's edge."""
    tense_deg: float
    """How far the hand moves the muzzle while the finger tightens; negative: down."""
    steadies: float
    """What becomes of sway and tremor while tensing, as a factor: the breath is held."""
    step_hz: float
    step_g: float
    """Peak of the vertical acceleration of a step."""
    feints: float
    """Part of the aims that end without a shot."""
    snaps: float
    """Part of the aims without a dwell: decided while raising."""
    bursts: float
    """Part of the shots that are followed by another pull at once."""
    follow_ups: float
    """Part of the aims that are followed by another target without lowering."""
    restlessness: float
    """Weight of walking and handling against aiming."""


def draw_user(number: int) -> User:
    """The user of that number, 0 or more: always the same one."""
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
    """The rotation matrix ``(3, 3)`` of a rotation vector ``(3,)`` in radians (Rodrigues' formula)."""
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation: Vector = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)
    return rotation
