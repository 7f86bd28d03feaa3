"""What the blaster does around a shot: wheels up to speed, dart pushed, pusher back, wheels down."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class Phase(Enum):
    """Where the blaster is in a shot."""

    IDLE = auto()
    RAMP_UP = auto()
    PUSH = auto()
    RETRACT = auto()
    RAMP_DOWN = auto()


PHASE_MS: Final = {Phase.RAMP_UP: 100, Phase.PUSH: 60, Phase.RETRACT: 60, Phase.RAMP_DOWN: 180}
"""How long each phase lasts, in order: flywheels need about 100 ms to reach speed, the rest is of the usual size."""


class Firing:
    """The state machine of one blaster. Times are its own clock in ms, which only moves on between restarts."""

    def __init__(self) -> None:
        self._ends: list[tuple[int, Phase]] = []
        self._pressed = False

    def phase(self, now_ms: int) -> Phase:
        """What goes on at ``now_ms``."""
        while self._ends and now_ms >= self._ends[0][0]:
            del self._ends[0]
        return self._ends[0][1] if self._ends else Phase.IDLE

    def pulls(self, *, pressed: bool) -> bool:
        """Take the trigger switch as it is now; whether this is a pull."""
        pulled, self._pressed = pressed and not self._pressed, pressed
        return pulled

    def shoot(self, now_ms: int, *, wheels: bool) -> None:
        """Begin a shot, unless one is under way.

        Wheels that turn already need no time to ramp up: that is what the prediction is for.
        """
        if self.phase(now_ms) not in {Phase.IDLE, Phase.RAMP_DOWN}:
            return
        self._ends.clear()
        end_ms = now_ms
        for phase, lasts_ms in PHASE_MS.items():
            if phase is Phase.RAMP_UP and wheels:
                continue
            end_ms += lasts_ms
            self._ends.append((end_ms, phase))
