"""What the bench observed during one scenario. Every time is in nanoseconds of the monotonic clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stinger.sample import SampleArray


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """An MQTT message as a subscriber received it."""

    at_ns: int
    topic: str
    payload: bytes
    retained: bool = False


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A fault injected into the device, the broker or the daemon; ``end_ns`` is ``None`` for one without an end."""

    kind: str
    """The name of the fault, such as ``unplug``."""
    description: str
    """The fault as in the scenario file, such as ``unplug:start=2,for=2``."""
    start_ns: int
    end_ns: int | None = None
    device: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class DeviceObservations:
    """What was observed of one device.

    ``journal`` is ``(n,)`` of :data:`~hil.emulated.journal.ENTRY_DTYPE`, or ``None`` if it keeps none. ``recorded``
    ``(m,)`` of SAMPLE_DTYPE holds the samples that the daemon recorded, oldest first; ``damaged`` counts its damaged
    recordings. ``metrics`` are the daemon's counters for this device, by the name of the metric.
    """

    name: str
    journal: SampleArray | None
    recorded: SampleArray
    damaged: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DaemonObservations:
    """The daemon as a process; ``None`` stands for a value that could not be observed."""

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
    """Everything observed during one scenario.

    ``floor`` is the device whose samples reach the broker without a daemon, in scenarios that measure the latency
    floor.
    """

    began_ns: int
    devices: Sequence[DeviceObservations]
    messages: Sequence[ReceivedMessage]
    faults: Sequence[InjectedFault] = ()
    daemon: DaemonObservations = field(default_factory=DaemonObservations)
    floor: DeviceObservations | None = None
    host_late_p99_ms: float | None = None
    host_late_longest_ms: float | None = None
    daemon_waited_share: float = 0.0
    """For which part of the scenario the daemon could have run, had there been a processor for it."""
