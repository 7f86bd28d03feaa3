"""The moving picture of one device: pushes new samples, scores and events to the script that draws them."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any, Final

from nicegui import ui
from nicegui.element import Element

from service.web.daemon_state import DeviceState
from service.web.recording_tail import RecordingTail

PUSH_S: Final = 0.04
_LABEL: Final = (
    "Moving picture of probability, acceleration and rotation. Shots and wheels are listed as text below the picture."
)


class LiveChart(Element, component="live_chart.js"):
    """The picture of ``device``; samples are read from its recording below the folder ``recordings``."""

    def __init__(self, device: DeviceState, recordings: Path) -> None:
        super().__init__()
        self._props["label"] = _LABEL
        self._device = device
        self._tail = RecordingTail(recordings, device.name)
        self._boot = -1
        self._scores = 0
        self._marks = 0
        self._threshold: float | None = None
        ui.timer(PUSH_S, self._push_new)
        self.client.on_delete(self._tail.close)

    @property
    def tail(self) -> RecordingTail:
        """The recording whose samples are shown."""
        return self._tail

    def _push_new(self) -> None:
        device, scores = self._device, self._device.scores
        news: dict[str, Any] = {}
        if scores.boot != self._boot:
            news["restart"] = self._boot >= 0
            self._boot, self._scores = scores.boot, 0
            if news["restart"]:
                self._tail.close()
        samples, _ = self._tail.read_new()
        if samples:
            news["samples"] = b64encode(samples).decode()
        if scores.count > self._scores:
            news["scores"] = b64encode(scores.since(self._scores)).decode()
            self._scores = scores.count
        if device.mark_count > self._marks:
            news["marks"] = [{"t": mark.time_ms, "kind": mark.kind} for mark in device.marks_since(self._marks)]
            self._marks = device.mark_count
        if device.threshold != self._threshold:
            news["threshold"] = self._threshold = device.threshold
        if news:
            self.run_method("push", news)
