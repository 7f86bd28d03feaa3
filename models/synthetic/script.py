"""The script of a round, from which motion is computed.

A script lists movements, stretches of unrest, and pulls of the trigger.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

LIE_ROLL_DEG: Final = 90.0
"""Between rounds the blaster lies on its side, muzzle level: every round begins and ends in this pose."""


class Unrest(Enum):
    """A kind of random motion; the value is the quantity that its strength measures."""

    SWAY = "slow wandering, deg/s RMS"
    TREMOR = "tremor, deg/s RMS"
    STEPS = "vertical acceleration of steps, peak in g"
    HANDS = "acceleration of the hands, g RMS"
    GRASP = "knocks and rattle of handling, g RMS"


@dataclass(frozen=True, slots=True)
class Movement:
    """One minimum-jerk turn: it adds to yaw, pitch and roll (degrees) permanently and may overlap others."""

    start_s: float
    duration_s: float
    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """Unrest of one kind and strength from ``start_s`` to ``stop_s``. Overlapping stretches add up."""

    kind: Unrest
    start_s: float
    stop_s: float
    strength: float


@dataclass(frozen=True, slots=True)
class Pull:
    """One pull of the trigger."""

    time_s: float
    held_s: float


@dataclass(slots=True)
class Script:
    """A round while it is written; times in seconds from its start, angles in degrees.

    ``pitch`` and ``roll`` are the pose after the movements so far. ``feints`` are the times at which an aim ended
    without a shot. The blaster lies still from 0 to ``picked_up_s`` and from ``put_down_s`` to ``duration_s``.
    """

    movements: list[Movement] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    feints: list[float] = field(default_factory=list)
    pitch: float = 0.0
    roll: float = LIE_ROLL_DEG
    picked_up_s: float = 0.0
    put_down_s: float = 0.0
    duration_s: float = 0.0

    def turn(
        self, start_s: float, duration_s: float, *, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0
    ) -> None:
        """Add a movement by these angles in degrees."""
        self.movements.append(Movement(start_s, duration_s, yaw, pitch, roll))
        self.pitch += pitch
        self.roll += roll

    def nudge(
        self, start_s: float, duration_s: float, *, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0
    ) -> None:
        """Add a movement there and back within ``duration_s``."""
        self.movements.append(Movement(start_s, duration_s / 2, yaw, pitch, roll))
        self.movements.append(Movement(start_s + duration_s / 2, duration_s / 2, -yaw, -pitch, -roll))

    def stir(self, start_s: float, stop_s: float, strengths: dict[Unrest, float]) -> None:
        """Add a stretch of each of ``strengths``."""
        self.stretches.extend(Stretch(kind, start_s, stop_s, strength) for kind, strength in strengths.items())
