"""Faults that the bench injects around the device, into broker, network, disk and daemon.

Faults of the device itself are in :mod:`hil.emulated.faults`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from hil.emulated.faults.fault import Fault


@dataclass(slots=True, kw_only=True)
class BenchFault(Fault):
    """Begins once, at ``start``, and ends ``for`` seconds later, if it has an end."""

    duration: float = 2.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("every", 0, 0)
        self.require("duration", 0, 1e6)


@dataclass(slots=True, kw_only=True)
class BrokerStopped(BenchFault):
    """The broker is stopped, and started again."""


@dataclass(slots=True, kw_only=True)
class BrokerSlow(BenchFault):
    """Traffic between broker and daemon is delayed by 'ms' (300), in each direction."""

    ms: float = 300.0

    def __post_init__(self) -> None:
        BenchFault.__post_init__(self)
        self.require("ms", 1, 60_000)


@dataclass(slots=True, kw_only=True)
class BrokerRefusing(BenchFault):
    """The daemon's connection to the broker is closed, and each new one at once."""


@dataclass(slots=True, kw_only=True)
class HalfOpen(BenchFault):
    """The device's end of a TCP connection disappears without closing it."""


@dataclass(slots=True, kw_only=True)
class DiskFull(BenchFault):
    """The disk with the daemon's data is filled, and freed again."""


@dataclass(slots=True, kw_only=True)
class DaemonKilled(BenchFault):
    """The daemon is killed with SIGKILL, and started again."""


@dataclass(slots=True, kw_only=True)
class ModelSwapped(BenchFault):
    """Another model is promoted in the registry."""

    duration: float = math.inf

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("every", 0, 0)


@dataclass(slots=True, kw_only=True)
class ModelGarbage(ModelSwapped):
    """A model whose file was overwritten with garbage is promoted in the registry."""


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
"""Every fault by its name. The first line of its docstring is its description for users."""
