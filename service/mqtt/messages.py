"""Build MQTT messages from events and states: topic, JSON payload, QoS, retained or not.

Schemas: ``service/mqtt/schemas``.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache, singledispatch
from typing import Any, Literal

import numpy as np

from service.base.events import Event, FalseSpinUp, Shot, Telemetry, WheelsSwitched
from service.base.source import LinkCounters, LinkReport
from service.base.states import DaemonStatus, ModelInUse, ScoreBlock, Stamps
from service.mqtt import channels
from service.mqtt.channels import Channel, DeliveryPolicy
from stinger.utc import utc_text

_PROBABILITY_DIGITS = 6
_MS_DIGITS = 3
_COUNTERS = tuple(field.name for field in fields(LinkCounters))
_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to publish."""

    topic: str
    payload: bytes
    qos: Literal[0, 1]
    retain: bool
    delivery: DeliveryPolicy


def message(channel: Channel, topic: str, content: Mapping[str, Any]) -> OutgoingMessage:
    """Return the message with ``content`` as JSON for ``topic`` of ``channel``.

    Raises ``ValueError`` for NaN and infinities.
    """
    return OutgoingMessage(topic, encode(content), channel.qos, channel.retain, channel.delivery)


def encode(content: Mapping[str, Any]) -> bytes:
    """Return ``content`` as compact JSON in UTF-8.

    Raises ``ValueError`` for NaN and infinities, which JSON does not have.
    """
    return _to_json(content).encode(errors="replace")


def decode(payload: bytes) -> dict[str, Any] | None:
    """Return the JSON object in ``payload``.

    ``None`` if it holds anything else, as a message of another program may.

    >>> decode(b'{"state": "on"}'), decode(b"on")
    ({'state': 'on'}, None)
    """
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


@lru_cache(maxsize=16)  # the telemetry of all devices has the same time
def iso_time(host_s: float) -> str:
    """Return Unix time as ISO 8601 in UTC with milliseconds.

    >>> iso_time(1700000000.1239)
    '2023-11-14T22:13:20.123Z'
    """
    return utc_text(host_s)


@singledispatch
def event_message(event: Event, stamps: Stamps | None = None) -> OutgoingMessage:
    """Return the message about ``event``.

    It has the ``stamps`` of the block that caused it, if they are to be published.
    """
    del stamps
    raise TypeError(type(event))


@event_message.register
def _(event: Shot, stamps: Stamps | None = None) -> OutgoingMessage:
    content = _about_event(event, stamps) | {
        "wheels_on": event.wheels_on,
        "lead_ms": _number(event.lead_ms, _MS_DIGITS),
        "peak_probability": _number(event.peak_probability),
        "accepted": event.accepted,
    }
    return message(channels.SHOT, channels.SHOT.topic(event.device), content)


@event_message.register
def _(event: WheelsSwitched, stamps: Stamps | None = None) -> OutgoingMessage:
    content = _about_event(event, stamps) | {
        "state": "on" if event.on else "off",
        "probability": _number(event.probability),
        "with_shot": event.with_shot,
        "duration_ms": _number(event.duration_ms, _MS_DIGITS),
    }
    return message(channels.SPINUP, channels.SPINUP.topic(event.device), content)


@event_message.register
def _(event: FalseSpinUp, stamps: Stamps | None = None) -> OutgoingMessage:
    content = _about_event(event, stamps) | {
        "duration_ms": _number(event.duration_ms, _MS_DIGITS),
        "peak_probability": _number(event.peak_probability),
    }
    return message(channels.FALSE_SPINUP, channels.FALSE_SPINUP.topic(event.device), content)


def telemetry_message(telemetry: Telemetry) -> OutgoingMessage:
    """Return the message with one device's figures of the last second."""
    content = {
        "device": telemetry.device,
        **_times(telemetry.host_s),
        "probability": _number(telemetry.probability),
        "wheels_on": telemetry.wheels_on,
        "rate_hz": _number(telemetry.rate_hz, _MS_DIGITS),
        "gaps": telemetry.gaps,
        "lost": telemetry.lost,
        "corrupted": telemetry.corrupted,
        "unscored": telemetry.unscored,
        "latency_p50_ms": _number(telemetry.latency_p50_ms, _MS_DIGITS),
        "latency_p99_ms": _number(telemetry.latency_p99_ms, _MS_DIGITS),
        "link": telemetry.link,
        "model": telemetry.model,
    }
    return message(channels.TELEMETRY, channels.TELEMETRY.topic(telemetry.device), content)


def link_message(report: LinkReport, host_s: float) -> OutgoingMessage:
    """Return the message with the state that a link had at ``host_s``, Unix time in seconds."""
    content = {
        "device": report.device,
        **_times(host_s),
        "state": report.state.value,
        "reason": report.reason,
        "counters": {name: getattr(report.counters, name) for name in _COUNTERS},
    }
    return message(channels.LINK, channels.LINK.topic(report.device), content)


def model_message(model: ModelInUse) -> OutgoingMessage:
    """Return the message that names the model of a device."""
    content = {
        "device": model.device,
        **_times(model.host_s),
        "model": model.model,
        "threshold": _number(model.threshold),
    }
    return message(channels.MODEL, channels.MODEL.topic(model.device), content)


def status_message(status: DaemonStatus) -> OutgoingMessage:
    """Return the message with the daemon's state, which is also its will."""
    times = {"time": None, "unix_s": None} if status.host_s is None else _times(status.host_s)
    content = {
        "state": "online" if status.online else "offline",
        **times,
        "reason": status.reason,
        "version": status.version,
        "instance": status.instance,
        "alarm": "; ".join(status.alarms.values()),
        "alarms": dict(status.alarms),
    }
    return message(channels.STATUS, channels.STATUS.topic(), content)


def scores_message(block: ScoreBlock, stamps: Stamps | None = None) -> OutgoingMessage:
    """Return the message with a block of scores: the time of the first, the time between two, and the scores."""
    probabilities = np.round(block.probabilities.astype(np.float64), _PROBABILITY_DIGITS).tolist()
    content = {
        "first_device_ms": block.first_device_ms,
        "period_ms": block.period_ms,
        "probabilities": [p if math.isfinite(p) else None for p in probabilities],
        **_stamped(stamps),
    }
    return message(channels.SCORES, channels.SCORES.topic(block.device), content)


def _about_event(event: Event, stamps: Stamps | None) -> dict[str, Any]:
    return {
        "id": event.id,
        "device": event.device,
        **_times(event.host_s),
        "device_ms": int(event.device_ms),
        "model": event.model,
        **_stamped(stamps),
    }


def _stamped(stamps: Stamps | None) -> dict[str, Any]:
    if stamps is None:
        return {}
    now_ns = time.monotonic_ns()
    return {"stamps": {"read_ns": stamps.read_ns, "scored_ns": stamps.scored_ns, "published_ns": now_ns}}


def _times(host_s: float) -> dict[str, Any]:
    return {"time": iso_time(host_s), "unix_s": round(float(host_s), _MS_DIGITS)}


def _number(value: float | None, digits: int = _PROBABILITY_DIGITS) -> float | None:
    """Return ``value`` rounded, as JSON can hold it; ``None`` for ``None``, NaN and infinities."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits)
