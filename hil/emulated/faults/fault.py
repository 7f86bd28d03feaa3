"""What all faults share: when they are there, and chance that a seed decides."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from stinger.errors import InputError


class Packet(NamedTuple):
    """What is written at one time: mostly a frame, or a line of the text stream."""

    number: int
    """Of the sample in the journal; -1 for what holds none."""
    data: bytes
    intact: bool = True
    """Whether a receiver can make the sample of it."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """Something that is wrong from ``start`` on, for ``lasts`` seconds, and again each ``every`` seconds (0: once).

    Times are seconds of the device's schedule, from the first sample on. Raises :class:`InputError` for values that
    mean nothing.
    """

    start: float = 0.0
    lasts: float = math.inf
    every: float = 0.0
    chance: Random = field(init=False, default_factory=Random, repr=False)

    def __post_init__(self) -> None:
        self.require("start", 0, math.inf)
        self.require("lasts", 0, math.inf)
        self.require("every", 0, math.inf)
        if self.every and not self.lasts < self.every:
            raise InputError(
                f"it would last {self.lasts:g} s and come back each {self.every:g} s: give a shorter 'for'"
            )

    def arm(self, seed: str) -> None:
        """Let all that is drawn follow from ``seed``."""
        self.chance = Random(seed)  # noqa: S311 - to be repeatable, not secret

    def active(self, t_s: float) -> bool:
        """Whether it is there at ``t_s``."""
        return t_s >= self.start and self.into(t_s) < self.lasts

    def into(self, t_s: float) -> float:
        """Seconds since it last began, at a ``t_s`` not before ``start``."""
        since_s = t_s - self.start
        return since_s % self.every if self.every else since_s

    def begun(self, t_s: float) -> int:
        """How many times it has begun by ``t_s``."""
        if t_s < self.start:
            return 0
        return 1 + (int((t_s - self.start) // self.every) if self.every else 0)

    def ended(self, t_s: float) -> int:
        """How many times it has ended by ``t_s``."""
        return self.begun(t_s) - self.active(t_s)

    def active_s(self, t_s: float) -> float:
        """For how long, in all, it has been there by ``t_s``."""
        begun = self.begun(t_s)
        if not begun:
            return 0.0
        earlier_s = (begun - 1) * self.lasts if begun > 1 else 0.0  # 0 times infinity is no number
        return earlier_s + min(self.into(t_s), self.lasts)

    def require(self, name: str, low: float, high: float) -> None:
        """Raise :class:`InputError` unless the parameter ``name`` is a number from ``low`` to ``high``."""
        value = getattr(self, name)
        if not low <= value <= high:  # NaN as well
            shown = "for" if name == "lasts" else name
            bound = f"at least {low:g}" if high == math.inf else f"{low:g} to {high:g}"
            raise InputError(f"{shown} is {value:g}: expected {bound}")
