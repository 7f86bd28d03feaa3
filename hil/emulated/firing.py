"""The phases of a shot: ramp up the wheels, push the dart, retract the pusher, ramp down."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class Phase(Enum):
    """The phase of a shot."""

    IDLE = auto()
    RAMP_UP = auto()
    PUSH = auto()
    RETRACT = auto()
    RAMP_DOWN = auto()


PHASE_MS: Final = {Phase.RAMP_UP: 100, Phase.PUSH: 60, Phase.RETRACT: 60, Phase.RAMP_DOWN: 180}
"""The length of each phase, in order. Flywheels need about 100 ms to reach speed; the others are typical values."""


class Firing:
    """The state machine of one blaster. Times are its own clock in ms, which never steps back between reboots."""

    def __init__(self) -> None:
        self._ends: list[tuple[int, Phase]] = []
        self._pressed = False

    def phase(self, now_ms: int) -> Phase:
        """Return the phase at ``now_ms``, and forget earlier ones."""
        while self._ends and now_ms >= self._ends[0][0]:
            del self._ends[0]
        return self._ends[0][1] if self._ends else Phase.IDLE

    def pulls(self, *, pressed: bool) -> bool:
        """Update the state of the trigger switch, and return whether it has just been pulled."""
        pulled, self._pressed = pressed and not self._pressed, pressed
        return pulled

    def shoot(self, now_ms: int, *, wheels: bool) -> None:
        """Begin a shot, unless one is in progress.

        Wheels that are already turning need no ramp-up: that is the purpose of the prediction.
        """
        if self.phase(now_ms) not in {Phase.IDLE, Phase.RAMP_DOWN}:
            return
        self._ends.clear()
        end_ms = now_ms
        for phase, length_ms in PHASE_MS.items():
            if phase is Phase.RAMP_UP and wheels:
                continue
            end_ms += length_ms
            self._ends.append((end_ms, phase))
