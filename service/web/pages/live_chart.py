"""Pictures of samples, scores and events: those of a recording, or of a device, to which new ones are pushed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from nicegui import ui
from nicegui.element import Element

from service.web.daemon_state import DeviceState
from service.web.recording_tail import RecordingTail
from service.web.scored_recording import ScoredRecording

PUSH_S: Final = 0.1
"""Interval of messages: the daemon publishes scores as often. The picture moves on between them."""
_LABEL: Final = "Picture of probability, acceleration and rotation over time. Shots are listed as text below it."


class Chart(Element, component="live_chart.js", esm={"stinger-chart": "chart"}):
    """The picture of samples, scores and events. ``kept`` is the number of samples that it holds if it is ``still``.

    It shows the output of one or two ``models``.
    """

    def __init__(self, *, still: bool = False, kept: int | None = None, models: int = 1) -> None:
        super().__init__()
        self._props["models"] = models
        self._props["label"] = _LABEL
        self._props["still"] = still
        if kept is not None:
            self._props["kept"] = kept


class RecordingChart(Chart):
    """The picture of a part of a recording, which moves only by hand.

    ``on_select`` takes the stretch that was dragged, in ms.
    """

    def __init__(self, recording: ScoredRecording, on_select: Callable[[int, int], object]) -> None:
        super().__init__(still=True, kept=recording.count, models=len(recording.models))
        scores = {f"scores{number or ''}": _text(model.scores) for number, model in enumerate(recording.models)}
        thresholds = {f"threshold{number or ''}": model.threshold for number, model in enumerate(recording.models)}
        self.run_method("push", {"samples": _text(recording.samples), **scores, **thresholds, **_marks(recording)})
        self.on("select", lambda event: on_select(*map(int, event.args)))

    def show(self, time_ms: float, span_s: float) -> None:
        """Show ``span_s`` seconds around ``time_ms``."""
        self.run_method("show", time_ms, span_s)

    def show_marks(self, recording: ScoredRecording) -> None:
        """Show the shots and what is left out anew."""
        self.run_method("push", {"newMarks": True, **_marks(recording)})


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
            news["samples"] = _text(samples)
        if scores.count > self._scores:
            news["scores"] = _text(scores.since(self._scores))
            self._scores = scores.count
        if device.mark_count > self._marks:
            news["marks"] = [{"t": mark.time_ms, "kind": mark.kind} for mark in device.marks_since(self._marks)]
            self._marks = device.mark_count
        if device.threshold != self._threshold:
            news["threshold"] = self._threshold = device.threshold
        if news:
            self.run_method("push", news)


def _marks(recording: ScoredRecording) -> dict[str, Any]:
    compared = recording.models[1].switches if len(recording.models) > 1 else ()
    return {
        "marks": [{"t": mark.time_ms, "kind": mark.kind} for mark in recording.marks],
        "marks1": [{"t": mark.time_ms, "kind": mark.kind} for mark in compared],
        "leftOut": recording.marked.left_out,
    }


def _text(data: bytes) -> str:
    return b64encode(data).decode()
