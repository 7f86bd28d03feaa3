"""Events and telemetry of a blaster, as values.

The pipeline creates them; the sinks publish, count and record them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from stinger.device_name import DeviceName

_TIME_MODULUS: Final = 2**48


def event_id(kind: str, device: DeviceName, clock_zero_ms: int, device_ms: int) -> str:
    """Return the id of the event of ``kind`` that ``device`` had at ``device_ms`` of the boot ``clock_zero_ms``.

    These identify the event, so an event that is found again has the same id. Ids sort by time: 12 hex digits of Unix
    time in milliseconds come before 10 of a hash. ``clock_zero_ms`` is that of the event's
    :class:`~service.base.source.Block`.
    """
    digest = blake2b(f"{kind} {device} {clock_zero_ms} {device_ms}".encode(), digest_size=5).hexdigest()
    return f"{(clock_zero_ms + device_ms) % _TIME_MODULUS:012x}{digest}"


@dataclass(frozen=True, slots=True)
class Shot:
    """The trigger went down."""

    device: DeviceName
    device_ms: int
    """Time of the sample on the device's clock: ms since its boot."""
    host_s: float
    """The same time on the host's wall clock: seconds of Unix time."""
    wheels_on: bool
    lead_ms: float | None
    """How long the wheels had been on; ``None`` if they were off."""
    peak_probability: float | None
    """The highest probability of the last second; ``None`` if there was no score."""
    accepted: bool
    """False for a trigger edge of a burst, too soon after the last accepted shot."""
    model: str
    """Version of the model that scored the sample."""
    id: str = field(kw_only=True)
    """See :func:`event_id`."""


@dataclass(frozen=True, slots=True)
class WheelsSwitched:
    """A spin-up began (``on``) or ended: the wheels were switched."""

    device: DeviceName
    device_ms: int
    host_s: float
    on: bool
    probability: float | None
    """The score at that time; ``None`` if the wheels went off for lack of scores."""
    model: str
    with_shot: bool | None = None
    """At the end of a spin-up: whether it had a shot."""
    duration_ms: float | None = None
    """At the end of a spin-up: how long the wheels were on."""
    id: str = field(kw_only=True)
    """See :func:`event_id`."""


@dataclass(frozen=True, slots=True)
class FalseSpinUp:
    """A spin-up ended without a shot."""

    device: DeviceName
    device_ms: int
    """When the wheels went on, on the device's clock."""
    host_s: float
    duration_ms: float
    peak_probability: float | None
    model: str
    id: str = field(kw_only=True)
    """See :func:`event_id`."""


Event = Shot | WheelsSwitched | FalseSpinUp


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Figures of one device for the last second, published once a second. A newer one replaces an unsent one."""

    device: DeviceName
    host_s: float
    probability: float | None
    wheels_on: bool
    rate_hz: float
    """Samples of the last second."""
    gaps: int
    """How often the window was restarted since the daemon started."""
    lost: int
    corrupted: int
    latency_p50_ms: float | None
    """From reading a sample to its decision, over the last second."""
    latency_p99_ms: float | None
    link: str
    model: str
    unscored: int = 0
    """Samples that were not scored, as their rate is not about 100 Hz, since the source started."""
