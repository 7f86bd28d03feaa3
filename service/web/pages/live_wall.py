"""The wall of all devices: one element that gets the changes of all in one message, several times a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import numpy as np
from nicegui import ui
from nicegui.element import Element

from service.web.daemon_state import DaemonState, DeviceState
from service.web.device_words import (
    alarm_text,
    in_time_text,
    last_shot_text,
    latency_text,
    link_text,
    quantity,
    wheels_text,
)
from service.web.score_history import POINT

PUSH_S: Final = 0.15
"""Interval of messages: more than five a second."""
_EVERY: Final = 5
"""Every fifth score is drawn: 20 a second."""
_SPAN_SAMPLES: Final = 1_000
_HIGHEST: Final = 250
_NO_SCORE: Final = 255


class LiveWall(Element, component="live_wall.js"):
    """A card for each device of ``state``."""

    def __init__(self, state: DaemonState) -> None:
        super().__init__()
        self._state = state
        self._sent: dict[str, _Sent] = {}
        self._push_new()
        ui.timer(PUSH_S, self._push_new)

    def _push_new(self) -> None:
        news = []
        for name, device in list(self._state.devices.items()):
            sent = self._sent.setdefault(name, _Sent(device))
            new = sent.news()
            if new:
                news.append({"name": name, **new})
        if news:
            self.run_method("push", news)


class _Sent:
    """What one browser has received of ``device``."""

    def __init__(self, device: DeviceState) -> None:
        self._device = device
        self._facts: Mapping[str, Any] = {}
        self._boot = device.scores.boot
        self._scores = 0
        self._marks = device.mark_count
        self._threshold: float | None = -1.0

    def news(self) -> dict[str, Any]:
        """Return what has changed since the last call; empty if nothing has."""
        device = self._device
        news: dict[str, Any] = {}
        facts = _facts(device)
        if facts != self._facts:
            self._facts = facts
            news |= facts
        if device.threshold != self._threshold:
            news["threshold"] = self._threshold = device.threshold
        if device.scores.boot != self._boot:
            self._boot, self._scores = device.scores.boot, 0
            news["restart"] = True
        if device.scores.count > self._scores:
            news["times"], news["levels"] = self._levels()
        if device.mark_count > self._marks:
            shots = [mark for mark in device.marks_since(self._marks) if mark.kind in ("in time", "late")]
            self._marks = device.mark_count
            if shots:
                news["shots"] = [{"t": mark.time_ms, "kind": mark.kind} for mark in shots]
        return news

    def _levels(self) -> tuple[list[int], list[int]]:
        """Return times and envelope of the new scores that are drawn; the envelope as 0 to 250, 255 for no score."""
        scores = self._device.scores
        first = max(self._scores, scores.count - _SPAN_SAMPLES)
        points = np.frombuffer(scores.since(first), POINT)
        drawn = points[(np.arange(first, scores.count) % _EVERY) == 0]
        self._scores = scores.count
        known = ~np.isnan(drawn["probability"])
        levels = np.where(known, np.rint(_HIGHEST * np.clip(np.nan_to_num(drawn["envelope"]), 0, 1)), _NO_SCORE)
        return drawn["time_ms"].tolist(), levels.astype(int).tolist()


def _facts(device: DeviceState) -> dict[str, Any]:
    telemetry = device.telemetry
    return {
        "url": f"/device/{quote(device.name, safe='')}",
        "alarm": alarm_text(device),
        "on": device.wheels_on,
        "facts": {
            "link": link_text(device),
            "wheels": wheels_text(device),
            "last shot": last_shot_text(device),
            "in time": in_time_text(device),
            "rate": quantity(telemetry.number("rate_hz"), "Hz"),
            "latency": latency_text(device),
        },
    }
