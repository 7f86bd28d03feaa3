"""What was seen of one scenario, as it was written down while it ran. All times are of the monotonic clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stinger.sample import SampleArray


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message in a subscriber's hands."""

    at_ns: int
    topic: str
    payload: bytes
    retained: bool = False


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A fault, or something else that was done to device, broker or daemon; ``end_ns`` is ``None`` if it has no end."""

    kind: str
    what: str
    """For a person."""
    start_ns: int
    end_ns: int | None = None
    device: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class DeviceObservations:
    """One device: its ``journal`` ``(n,)`` of :data:`~hil.emulated.journal.ENTRY_DTYPE`, where it keeps one.

    ``recorded`` ``(m,)`` of SAMPLE_DTYPE is what the daemon recorded of it, oldest first, ``damaged`` how many of its
    recordings are not as they should be. ``told`` are the daemon's own counts, by the name of the metric.
    """

    name: str
    journal: SampleArray | None
    recorded: SampleArray
    damaged: int = 0
    told: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DaemonObservations:
    """The daemon as a process; ``None`` is what could not be seen."""

    exit_code: int | None = None
    stop_s: float | None = None
    ready_s: float | None = None
    tracebacks: int = 0
    cpu_percent: float | None = None
    memory_mb: float | None = None
    memory_growth_mb: float | None = None
    model: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ScenarioObservations:
    """All of it. ``floor`` is the device whose path has no daemon, if there was one."""

    began_ns: int
    devices: Sequence[DeviceObservations]
    heard: Sequence[ReceivedMessage]
    faults: Sequence[InjectedFault] = ()
    daemon: DaemonObservations = field(default_factory=DaemonObservations)
    floor: DeviceObservations | None = None
    host_late_p99_ms: float | None = None
