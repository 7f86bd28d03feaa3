"""Pictures of samples, scores and events: those of a recording, or of a device, to which new ones are pushed."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any, Final

from nicegui import ui
from nicegui.element import Element

from service.web.daemon_state import DeviceState
from service.web.recording_tail import RecordingTail
from service.web.scored_recording import ScoredRecording

PUSH_S: Final = 0.04
_LABEL: Final = "Picture of probability, acceleration and rotation over time. Shots are listed as text below it."


class Chart(Element, component="live_chart.js"):
    """The picture of samples, scores and events. ``kept`` is the number of samples that it holds if it is ``still``."""

    def __init__(self, *, still: bool = False, kept: int | None = None) -> None:
        super().__init__()
        self._props["label"] = _LABEL
        self._props["still"] = still
        if kept is not None:
            self._props["kept"] = kept


class RecordingChart(Chart):
    """The picture of a recording, which moves only by hand."""

    def __init__(self, recording: ScoredRecording) -> None:
        super().__init__(still=True, kept=recording.count)
        self.run_method(
            "push",
            {
                "samples": b64encode(recording.samples).decode(),
                "scores": b64encode(recording.scores).decode(),
                "marks": [{"t": mark.time_ms, "kind": mark.kind} for mark in recording.marks],
                "threshold": recording.threshold,
            },
        )

    def show(self, time_ms: float, span_s: float) -> None:
        """Show ``span_s`` seconds around ``time_ms``."""
        self.run_method("show", time_ms, span_s)


class LiveChart(Chart):
    """The picture of ``device``; samples are read from its recording below the folder ``recordings``."""

    def __init__(self, device: DeviceState, recordings: Path) -> None:
        super().__init__()
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
