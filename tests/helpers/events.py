"""Example events and messages: one of each kind that the daemon publishes."""

from __future__ import annotations

import numpy as np

from service.base.events import FalseSpinUp, Shot, Telemetry, WheelsSwitched, event_id
from service.base.source import LinkCounters, LinkReport, LinkState
from service.base.states import DaemonStatus, ModelInUse, ScoreBlock
from service.mqtt.discovery import discovery_message
from service.mqtt.messages import (
    OutgoingMessage,
    event_message,
    link_message,
    model_message,
    scores_message,
    status_message,
    telemetry_message,
)
from stinger.device_name import DeviceName

NOW_S = 1_700_000_000.125
ID = "018bcfe568001f0a9c3b7d"


def shot(device: str = "b1", device_ms: int = 1000, *, accepted: bool = True) -> Shot:
    name = DeviceName(device)
    id_ = event_id("shot", name, 0, device_ms)
    return Shot(name, device_ms, NOW_S, True, 84.5, 0.97, accepted, "lr-1", id=id_)


def spin_up(device: str = "b1", *, on: bool = True) -> WheelsSwitched:
    return WheelsSwitched(
        DeviceName(device), 900, NOW_S, on, 0.8, "lr-1", None if on else True, None if on else 320.0, id=ID
    )


def telemetry(device: str = "b1", probability: float | None = 0.25) -> Telemetry:
    return Telemetry(DeviceName(device), NOW_S, probability, False, 100.0, 1, 2, 3, 0.4, 1.5, "streaming", "lr-1")


def link_report(device: str = "b1", state: LinkState = LinkState.STREAMING) -> LinkReport:
    return LinkReport(DeviceName(device), state, "", LinkCounters(100, 1, 2, 3, 4))


def model(device: str = "b1") -> ModelInUse:
    return ModelInUse(DeviceName(device), NOW_S, "lr-1", 0.5)


def one_message_of_each_kind() -> dict[str, OutgoingMessage]:
    """Return one message of every published kind, by the name of its schema."""
    return {
        "shot": event_message(shot()),
        "spinup": event_message(spin_up()),
        "false_spinup": event_message(FalseSpinUp(DeviceName("b1"), 5, NOW_S, 200.0, None, "lr-1", id=ID)),
        "telemetry": telemetry_message(telemetry()),
        "link": link_message(link_report(), NOW_S),
        "model": model_message(model()),
        "scores": scores_message(ScoreBlock(DeviceName("b1"), 10, 10, np.array([0.5, np.nan], np.float32))),
        "status": status_message(
            DaemonStatus(online=True, host_s=NOW_S, reason="started", version="1", instance="7f3a")
        ),
        "discovery": discovery_message(DeviceName("b1"), "1"),
    }
