"""Faults of the device as a whole: switched off and on, unplugged, silent."""

from __future__ import annotations

from dataclasses import dataclass

from hil.emulated.faults.fault import Fault


@dataclass(slots=True, kw_only=True)
class Reboot(Fault):
    """The device is off for 'for' seconds and starts over, its clock at 0; its port vanishes, unless 'port=1'."""

    lasts: float = 1.0
    port: float = 0.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("port", 0, 1)

    def last_boot_s(self, t_s: float) -> float | None:
        """When the last reboot before ``t_s`` ended; ``None`` before the first."""
        ended = self.ended(t_s)
        return None if ended == 0 else self.start + (ended - 1) * self.every + self.lasts


@dataclass(slots=True, kw_only=True)
class Unplug(Fault):
    """The port vanishes for 'for' seconds and comes back under its name; the device goes on."""

    lasts: float = 3.0


@dataclass(slots=True, kw_only=True)
class Silent(Fault):
    """The port stays, but the device sends nothing: no samples, no answers."""
