"""What happens to a blaster, as values: the flow makes them, the sinks send, count and keep them."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from stinger.device_name import DeviceName


def new_event_id() -> str:
    """An id that no other event has and that sorts by time: 12 hex digits of milliseconds, 10 of chance."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(5)}"


@dataclass(frozen=True, slots=True)
class Shot:
    """The trigger went down."""

    device: DeviceName
    device_ms: int
    """Of the sample, on the device's clock, since its boot."""
    host_s: float
    """The same moment on the host's wall clock, Unix time."""
    wheels_on: bool
    lead_ms: float | None
    """How long the wheels had been on; ``None`` where they were off."""
    peak_probability: float | None
    """The highest in the last second; ``None`` where there was no score."""
    accepted: bool
    """False for a burst: too soon after the last accepted shot."""
    model: str
    """Version of the model in use."""
    id: str = field(default_factory=new_event_id)


@dataclass(frozen=True, slots=True)
class SpinUp:
    """The wheels went on, or off again."""

    device: DeviceName
    device_ms: int
    host_s: float
    on: bool
    probability: float | None
    """The model's output at that moment; ``None`` where they went off because none came."""
    model: str
    with_shot: bool | None = None
    """When they go off: whether a shot came while they were on."""
    duration_ms: float | None = None
    id: str = field(default_factory=new_event_id)


@dataclass(frozen=True, slots=True)
class FalseSpinUp:
    """A spin-up ended without a shot."""

    device: DeviceName
    device_ms: int
    """When the wheels went on."""
    host_s: float
    duration_ms: float
    peak_probability: float | None
    model: str
    id: str = field(default_factory=new_event_id)


Event = Shot | SpinUp | FalseSpinUp


@dataclass(frozen=True, slots=True)
class Telemetry:
    """How one device is doing, once a second; the newest replaces what was not sent yet."""

    device: DeviceName
    host_s: float
    probability: float | None
    wheels_on: bool
    rate_hz: float
    """Samples in the last second."""
    gaps: int
    """Times the window was started over, since the daemon began."""
    lost: int
    corrupted: int
    latency_p50_ms: float | None
    """From reading a sample to its decision, over the last second."""
    latency_p99_ms: float | None
    link: str
    model: str
