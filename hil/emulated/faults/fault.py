"""The base of all faults: when a fault is active, and its random numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from stinger.errors import InputError


class Packet(NamedTuple):
    """Bytes that are written in one call: usually a frame, or a line of the text stream."""

    number: int
    """The number of its sample in the journal; -1 if it holds no sample."""
    data: bytes
    intact: bool = True
    """Whether a receiver can decode the sample from it."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault that is active from ``start`` for ``duration`` seconds.

    It is active again every ``every`` seconds (0: only once). Times are seconds of the device's schedule, counted from
    the first sample. Raises :class:`InputError` for invalid values.
    """

    start: float = 0.0
    duration: float = math.inf
    every: float = 0.0
    rng: Random = field(init=False, default_factory=Random, repr=False)

    def __post_init__(self) -> None:
        self.require("start", 0, math.inf)
        self.require("duration", 0, math.inf)
        self.require("every", 0, math.inf)
        if self.every and not self.duration < self.every:
            raise InputError(f"it lasts {self.duration:g} s but repeats every {self.every:g} s: give a shorter 'for'")

    def seed(self, seed: str) -> None:
        """Make all random numbers follow from ``seed``."""
        self.rng = Random(seed)  # noqa: S311 - to be repeatable, not secret

    def active(self, t_s: float) -> bool:
        """Return whether it is active at ``t_s``."""
        return t_s >= self.start and self.elapsed_s(t_s) < self.duration

    def elapsed_s(self, t_s: float) -> float:
        """Return the seconds since it last began, for a ``t_s`` not before ``start``."""
        since_s = t_s - self.start
        return since_s % self.every if self.every else since_s

    def times_begun(self, t_s: float) -> int:
        """Return how many times it has begun by ``t_s``."""
        if t_s < self.start:
            return 0
        return 1 + (int((t_s - self.start) // self.every) if self.every else 0)

    def times_ended(self, t_s: float) -> int:
        """Return how many times it has ended by ``t_s``."""
        return self.times_begun(t_s) - self.active(t_s)

    def active_s(self, t_s: float) -> float:
        """Return the total time that it has been active by ``t_s``."""
        begun = self.times_begun(t_s)
        if not begun:
            return 0.0
        earlier_s = (begun - 1) * self.duration if begun > 1 else 0.0  # 0 times infinity is NaN
        return earlier_s + min(self.elapsed_s(t_s), self.duration)

    def require(self, name: str, low: float, high: float) -> None:
        """Raise :class:`InputError` unless the parameter ``name`` is a number from ``low`` to ``high``."""
        value = getattr(self, name)
        if not low <= value <= high:  # NaN as well
            key = "for" if name == "duration" else name
            bound = f"at least {low:g}" if high == math.inf else f"{low:g} to {high:g}"
            raise InputError(f"{key} is {value:g}: expected {bound}")
