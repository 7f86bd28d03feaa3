"""Faults of the whole device: switched off and on, unplugged, silent."""

from __future__ import annotations

from dataclasses import dataclass

from hil.emulated.faults.fault import Fault


@dataclass(slots=True, kw_only=True)
class Reboot(Fault):
    """The device is off for 'for' seconds, then boots with its clock at 0; its port disappears, unless 'port=1'."""

    duration: float = 1.0
    port: float = 0.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("port", 0, 1)

    def last_boot_s(self, t_s: float) -> float | None:
        """Return when the last reboot before ``t_s`` ended; ``None`` before the first."""
        ended = self.times_ended(t_s)
        return None if ended == 0 else self.start + (ended - 1) * self.every + self.duration


@dataclass(slots=True, kw_only=True)
class Unplug(Fault):
    """The port disappears for 'for' seconds and returns under the same name; the device keeps running."""

    duration: float = 3.0


@dataclass(slots=True, kw_only=True)
class Silent(Fault):
    """The port stays open, but the device sends nothing: no samples, no answers."""
