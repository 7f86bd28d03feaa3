"""Faults of timing: late frames, and wrong clocks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hil.emulated.faults.fault import Fault
from stinger.errors import InputError
from stinger.sample import CLOCK_WRAP_MS


@dataclass(slots=True, kw_only=True)
class Stall(Fault):
    """Nothing is sent for 'for' seconds, then everything at once."""

    duration: float = 1.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if math.isinf(self.duration):
            raise InputError("a stall must end: use the fault 'silent' for one that does not")

    def delay_s(self, t_s: float) -> float:
        """Return the delay of what is due at ``t_s``, in seconds."""
        return self.duration - self.elapsed_s(t_s) if self.active(t_s) else 0.0


@dataclass(slots=True, kw_only=True)
class Jitter(Fault):
    """A share 'rate' of the frames is up to 'ms' late; frames behind one wait for it."""

    ms: float = 5.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("ms", 0, 60_000)
        self.require("rate", 0, 1)

    def delay_s(self, t_s: float) -> float:
        """Return the delay of what is due at ``t_s``, in seconds."""
        if self.active(t_s) and self.rng.random() < self.rate:
            return self.rng.random() * self.ms / 1000
        return 0.0


@dataclass(slots=True, kw_only=True)
class Drift(Fault):
    """The device's clock is 'ppm' parts per million fast (negative: slow); its timestamps stay 10 ms apart."""

    ppm: float = 50.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("ppm", -200_000, 200_000)

    def ahead_s(self, t_s: float) -> float:
        """Return how many seconds earlier than by a true clock the sample of ``t_s`` is taken."""
        return self.active_s(t_s) * self.ppm / (1_000_000 + self.ppm)


@dataclass(slots=True, kw_only=True)
class Jump(Fault):
    """The device's clock steps back by 'ms', at 'start' and every 'every' seconds; never below 0."""

    ms: float = 5000.0
    duration: float = 0.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("ms", 1, CLOCK_WRAP_MS)

    def behind_ms(self, since_s: float, t_s: float) -> int:
        """Return by how many ms the clock has stepped back from ``since_s`` to ``t_s``."""
        return (self.times_begun(t_s) - self.times_begun(since_s)) * int(self.ms)


@dataclass(slots=True, kw_only=True)
class Wrap(Fault):
    """The device's clock starts 'before' seconds before the end of its 32 bits, and wraps."""

    before: float = 5.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("before", 0, CLOCK_WRAP_MS / 1000)
        if self.start or self.every or not math.isinf(self.duration):
            raise InputError("it starts with the first sample: give only 'before'")
