"""The page of one device: its moving picture, its threshold, its recording, and notes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from nicegui import ui

from models.threshold import HIGHEST_THRESHOLD, LOWEST_THRESHOLD
from service.base.note import MAX_NOTE_CHARS
from service.web.daemon_client import Answer, DaemonClient
from service.web.daemon_state import DeviceState, Mark
from service.web.device_words import in_time_text, last_shot_text, latency_text, link_text, quantity, wheels_text
from service.web.pages.layout import REFRESH_S, Text, page_frame, plain_button
from service.web.pages.live_chart import LiveChart
from stinger.device_name import parse_device_name
from stinger.errors import InputError
from stinger.paths import recordings_dir

_EVENTS_SHOWN: Final = 8
_RECORDING_WITHIN_S: Final = 2.0
_STEP: Final = 0.01
_KINDS: Final = {
    "in time": "✓ shot in time",
    "late": "✕ shot too late",
    "burst": "shot of a burst, not counted",
    "on": "wheels on",
    "off": "wheels off",
}


def add_device_page(client: DaemonClient, data_dir: Path) -> None:
    """Add the page at ``/device/NAME``."""

    @ui.page("/device/{name}")
    def device(name: str) -> None:
        try:
            known = parse_device_name(unquote(name))
        except InputError:
            with page_frame(client, "No such device", "Live"):
                Text("No device can have this name: see the list of all devices.", "p")
                ui.link("All devices", "/")
            return
        state = client.state.devices.get(known)
        if state is None:
            with page_frame(client, known, "Live"):
                Text("The daemon has published nothing about this device yet; it is shown here once it does.", "p")
                ui.link("All devices", "/")
            ui.timer(REFRESH_S, lambda: ui.navigate.reload() if known in client.state.devices else None)
            return
        with page_frame(client, state.name, "Live"):
            _build(client, state, data_dir)


def _build(client: DaemonClient, state: DeviceState, data_dir: Path) -> None:
    facts = _Facts(("link", "wheels", "last shot", "in time", "rate", "latency", "model"))
    missing = Text("", "p").classes("hint")
    chart = LiveChart(state, recordings_dir(data_dir))
    _Threshold(client, state)
    recording = _recording_controls(client, state)
    Text("Last events", "h2")
    events = ui.element("ul").classes("events")
    shown = -1

    def refresh() -> None:
        nonlocal shown
        telemetry = state.telemetry
        facts.show("link", link_text(state))
        facts.show("wheels", wheels_text(state))
        facts.show("last shot", last_shot_text(state))
        facts.show("in time", in_time_text(state))
        facts.show("rate", quantity(telemetry.number("rate_hz"), "Hz"))
        facts.show("latency", latency_text(state))
        facts.show("model", state.model or "-")
        hint = _missing_text(state, chart, data_dir)
        missing.set_text(hint)
        missing.set_visibility(bool(hint))
        recording.set_text(_recording_text(chart))
        if state.mark_count != shown:
            shown = state.mark_count
            events.clear()
            with events:
                for mark in reversed(list(state.marks)[-_EVENTS_SHOWN:]):
                    Text(_event_text(mark), "li")

    refresh()
    ui.timer(REFRESH_S, refresh)


class _Facts:
    """A list of named values."""

    def __init__(self, names: tuple[str, ...]) -> None:
        with ui.element("dl"):
            self._values: dict[str, Text] = {}
            for name in names:
                Text(name, "dt")
                self._values[name] = Text("-", "dd").props(f'data-fact="{name}"')

    def show(self, name: str, text: str) -> None:
        """Show ``text`` as the value of ``name``."""
        self._values[name].set_text(text)


class _Threshold:
    """A slider for the threshold. It shows what the daemon uses, except while it is being moved."""

    def __init__(self, client: DaemonClient, state: DeviceState) -> None:
        self._client = client
        self._state = state
        self._moving = False
        with ui.element("label").classes("field"):
            Text("Threshold: wheels on from a probability of")
            self._slider = ui.element("input").props(
                f'type=range min={LOWEST_THRESHOLD} max={HIGHEST_THRESHOLD} step={_STEP} data-control="threshold"'
            )
            self._value = Text("-").props('data-fact="threshold"')
        self._slider.on("input", self._move, js_handler="(e) => emit(e.target.value)")
        self._slider.on("change", self._set, js_handler="(e) => emit(e.target.value)")
        ui.timer(REFRESH_S, self._refresh)

    def _refresh(self) -> None:
        threshold = self._state.threshold
        if threshold is None or self._moving:
            return
        self._value.set_text(f"{threshold:.2f}")
        if self._slider.props.get("value") != threshold:
            self._slider.props["value"] = threshold

    def _move(self, event: Any) -> None:
        self._moving = True
        self._value.set_text(f"{float(event.args):.2f}, not set yet")

    async def _set(self, event: Any) -> None:
        chosen = round(float(event.args), 2)
        answer = await self._client.send("set_threshold", self._state.name, {"threshold": chosen})
        notify(answer, f"Threshold set to {chosen:.2f}")
        if not answer.error:
            await self._wait_for(chosen)
        self._moving = False
        self._slider.props["value"] = None if answer.error else chosen

    async def _wait_for(self, threshold: float) -> None:
        """Wait a moment until the daemon has published the new threshold, so that the slider does not jump back."""
        for _ in range(20):
            if self._state.threshold == threshold:
                return
            await asyncio.sleep(0.05)


def _recording_controls(client: DaemonClient, state: DeviceState) -> Text:
    """Build the buttons of the recording and the field for a note; return the text that shows what is recorded."""
    Text("Recording", "h2")
    text = Text("", "p").props('data-fact="recording"')

    async def start() -> None:
        notify(await client.send("start_recording", state.name, {}), "A new recording was started")

    async def stop() -> None:
        notify(await client.send("stop_recording", state.name, {}), "The recording was stopped")

    async def add_note(event: Any) -> None:
        note = str(event.args).strip()
        if not note:
            ui.notify("Write the note first", type="warning")
            return
        notify(await client.send("note", state.name, {"text": note}), "The note is kept with the recording")

    with ui.element("div").classes("controls"):
        plain_button("Start a new recording", start)
        plain_button("Stop recording", stop)
    with ui.element("form").classes("field") as form:
        with ui.element("label").classes("field"):
            Text("Note")
            ui.element("input").props(f"type=text name=note maxlength={MAX_NOTE_CHARS} autocomplete=off")
        Text("Keep the note", "button").classes("plain").props("type=submit")
    form.on(
        "submit",
        add_note,
        js_handler="(e) => { e.preventDefault(); emit(e.target.elements.note.value); e.target.reset(); }",
    )
    return text


def notify(answer: Answer, done: str) -> None:
    """Show whether a command was carried out."""
    if answer.error:
        ui.notify(f"Not done: {answer.error}", type="negative", timeout=8000)
    else:
        ui.notify(done, type="positive")


def _event_text(mark: Mark) -> str:
    lead = f", wheels on for {mark.lead_ms:.0f} ms" if mark.lead_ms is not None else ""
    return f"{mark.time_of_day[11:23]} {_KINDS[mark.kind]}{lead}"


def _recording_text(chart: LiveChart) -> str:
    path = chart.tail.path
    if path is None:
        return "No recording in this data folder."
    if chart.tail.growing_s < _RECORDING_WITHIN_S:
        return f"● Recording: {path.name}"
    return f"○ Not recording. The last one: {path.name}"


def _missing_text(state: DeviceState, chart: LiveChart, data_dir: Path) -> str:
    """Return what keeps parts of the picture empty, and what to do; empty if nothing does."""
    if not state.scores.count and state.link == "streaming":
        return "The daemon publishes no scores: start it with --scores to see the probability."
    if chart.tail.path is None:
        return f"The six axes are read from the recording, and {data_dir} has none of this device: name the daemon's --data-dir."
    return ""
