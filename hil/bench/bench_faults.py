"""Faults that the bench causes itself, around the device and the daemon; those of the device are in ``hil.emulated.faults``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from hil.emulated.faults.fault import Fault


@dataclass(slots=True, kw_only=True)
class BenchFault(Fault):
    """Begins once, at ``start``; what ends, does so after ``for`` seconds."""

    lasts: float = 2.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("every", 0, 0)
        self.require("lasts", 0, 1e6)


@dataclass(slots=True, kw_only=True)
class BrokerStopped(BenchFault):
    """The broker is stopped, and started again."""


@dataclass(slots=True, kw_only=True)
class BrokerSlow(BenchFault):
    """What broker and daemon say to each other takes 'ms' (300) longer, each way."""

    ms: float = 300.0

    def __post_init__(self) -> None:
        BenchFault.__post_init__(self)
        self.require("ms", 1, 60_000)


@dataclass(slots=True, kw_only=True)
class BrokerRefusing(BenchFault):
    """The daemon's connections to the broker are closed as soon as they are made, and so is the one that it has."""


@dataclass(slots=True, kw_only=True)
class HalfOpen(BenchFault):
    """The device's end of a TCP connection is gone, and nobody tells the daemon."""


@dataclass(slots=True, kw_only=True)
class DiskFull(BenchFault):
    """Somebody else fills the disk that the daemon's data are on, and makes room again."""


@dataclass(slots=True, kw_only=True)
class DaemonKilled(BenchFault):
    """The daemon is killed, without a warning, and started again."""


@dataclass(slots=True, kw_only=True)
class ModelSwapped(BenchFault):
    """Another model is promoted in the registry."""

    lasts: float = math.inf

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("every", 0, 0)


@dataclass(slots=True, kw_only=True)
class ModelGarbage(ModelSwapped):
    """The model that is promoted in the registry is overwritten with garbage first."""


BENCH_FAULTS: Final[dict[str, type[BenchFault]]] = {
    "broker_stopped": BrokerStopped,
    "broker_slow": BrokerSlow,
    "broker_refusing": BrokerRefusing,
    "half_open": HalfOpen,
    "disk_full": DiskFull,
    "daemon_killed": DaemonKilled,
    "model_swapped": ModelSwapped,
    "model_garbage": ModelGarbage,
}
"""Every one by its name. The first line of its docstring is what a user is told."""
