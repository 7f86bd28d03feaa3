"""Faults of time: frames that come late, and clocks that are wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hil.emulated.faults.fault import Fault
from stinger.errors import InputError
from stinger.sample import CLOCK_WRAP_MS


@dataclass(slots=True, kw_only=True)
class Stall(Fault):
    """Nothing is sent for 'for' seconds, then all of it at once."""

    lasts: float = 1.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if math.isinf(self.lasts):
            raise InputError("a stall ends at some time: see the fault 'silent' for one that does not")

    def delay_s(self, t_s: float) -> float:
        """By how much later what is due at ``t_s`` is sent."""
        return self.lasts - self.into(t_s) if self.active(t_s) else 0.0


@dataclass(slots=True, kw_only=True)
class Jitter(Fault):
    """One frame in 1 / 'rate' comes up to 'ms' late, those behind it not before it."""

    ms: float = 5.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("ms", 0, 60_000)
        self.require("rate", 0, 1)

    def delay_s(self, t_s: float) -> float:
        """By how much later what is due at ``t_s`` is sent."""
        if self.active(t_s) and self.chance.random() < self.rate:
            return self.chance.random() * self.ms / 1000
        return 0.0


@dataclass(slots=True, kw_only=True)
class Drift(Fault):
    """The device's clock is 'ppm' millionths fast (below 0: slow): by it, samples stay 10 ms apart."""

    ppm: float = 50.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("ppm", -200_000, 200_000)

    def ahead_s(self, t_s: float) -> float:
        """How much sooner than by a true clock the sample of ``t_s`` is taken."""
        return self.active_s(t_s) * self.ppm / (1_000_000 + self.ppm)


@dataclass(slots=True, kw_only=True)
class Jump(Fault):
    """The device's clock falls back by 'ms', at 'start' and each 'every' seconds; never below 0."""

    ms: float = 5000.0
    lasts: float = 0.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("ms", 1, CLOCK_WRAP_MS)

    def behind_ms(self, since_s: float, t_s: float) -> int:
        """By how much the clock has fallen back from ``since_s`` to ``t_s``."""
        return (self.begun(t_s) - self.begun(since_s)) * int(self.ms)


@dataclass(slots=True, kw_only=True)
class Wrap(Fault):
    """The device's clock begins 'before' seconds before its 32 bits are full, and wraps."""

    before: float = 5.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("before", 0, CLOCK_WRAP_MS / 1000)
        if self.start or self.every or not math.isinf(self.lasts):
            raise InputError("it is there from the first sample on: give 'before' alone")
