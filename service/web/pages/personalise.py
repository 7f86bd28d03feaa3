"""The page that leads from a blaster's log to models on the blaster, in steps that can each be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request
from nicegui import app, ui
from starlette.responses import PlainTextResponse, Response

from service.base.logs import get_logger
from service.round_trip.personal_result import PersonalResult
from service.round_trip.recording_quality import (
    ADVISED_SHOTS,
    FEWEST_MINUTES,
    GOOD_MINUTES,
    GOOD_SHOTS,
    RecordingQuality,
)
from service.web.action_settings import ActionSettings
from service.web.actions import Kind
from service.web.daemon_client import DaemonClient
from service.web.long_action import LongAction
from service.web.pages.action_view import ActionView
from service.web.pages.layout import REFRESH_S, Text, is_shown, page_frame, plain_button
from service.web.pages.port_choice import PortField
from service.web.pages.train import need_bar, picture
from service.web.personalisation import PERSONAL_FOLDER, Personalisation
from service.web.served_files import file_url
from service.web.stored_recordings import find_recording, list_rows
from service.web.training_needs import Need
from service.web.uploads import read_upload
from stinger.errors import StingerError
from stinger.paths import recordings_dir

_LOG: Final = get_logger(__name__)
_RECORDINGS_LISTED: Final = 100
_INTRODUCTION: Final = (
    "Makes models that fit you, and puts them on your blaster. Before: choose 'Start ML Recording' in the blaster's menu "
    "(Device), and play for ten minutes: carry, aim and wait as well as shoot. Every step can be repeated."
)
_NO_LOG: Final = "First fetch the blaster's log, upload one, or choose a recording."
_NO_MODEL: Final = "First train on the log."
_NOT_YET: Final = "Not yet: "
_PROBLEM: Final = "bad"
_UPLOAD: Final = """async (event) => {
  event.preventDefault();
  const file = event.target.elements.log.files[0];
  const answer = await fetch("/personalise/log?" + new URLSearchParams({ name: file.name }), { method: "POST", body: file });
  emit([answer.ok, await answer.text()]);
}"""


def add_personalise_page(client: DaemonClient, settings: ActionSettings) -> None:
    """Add the page at ``/personalise``, and the upload of a log."""
    personal = Personalisation(settings)

    @ui.page("/personalise")
    async def personalise() -> None:
        with page_frame(client, "Personalise", "Personalise"):
            steps = _Steps(personal, settings)
        if await is_shown():
            await steps.show_all()

    @app.post("/personalise/log")
    async def upload(request: Request, name: str = "") -> Response:
        try:
            data = await read_upload(request)
            await asyncio.to_thread(personal.keep_upload, name, data)
        except StingerError as error:
            return PlainTextResponse(f"Not kept: {error}", HTTPStatus.UNPROCESSABLE_ENTITY)
        _LOG.info("personal_log_uploaded", bytes=len(data))
        return PlainTextResponse("Uploaded")


class _Steps:
    """The steps, as one browser shows them."""

    def __init__(self, personal: Personalisation, settings: ActionSettings) -> None:
        self._personal = personal
        self._settings = settings
        self._changes = personal.changes
        Text(_INTRODUCTION, "p").classes("intro")
        with ui.element("ol").classes("steps"):
            with _step("The log"):
                self._log = Text("", "p").props('data-fact="log"')
                self._port = PortField(personal.port, settings.list_ports)
                with ui.element("div").classes("controls"):
                    plain_button("Fetch the log", lambda: self._start(lambda: personal.fetch(self._port.value)))
                ActionView(settings.actions, Kind.FETCH, self._show_end)
                with ui.element("details"):
                    Text("Use a file, or a recording of the daemon, instead", "summary")
                    _upload_form(self._take_uploaded)
                    self._saved = ui.element("div")
            with _step("Quality"):
                self._quality = ui.element("div").props('data-fact="quality"')
            with _step("Train"):
                with ui.element("div").classes("controls"):
                    plain_button("Train on this log", lambda: self._start(personal.train))
                ActionView(settings.actions, Kind.PERSONAL_TRAINING, self._show_end)
                self._not_yet = Text("", "p").classes("hint")
            with _step("Look"):
                self._look = ui.element("div")
            with _step("Upload"):
                self._upload = ui.element("div")
                with ui.element("div").classes("controls"):
                    plain_button(
                        "Upload to the blaster", lambda: self._start(lambda: personal.upload(self._port.value))
                    )
                ActionView(settings.actions, Kind.UPLOAD, self._show_end)
            with _step("Set the threshold in the blaster's menu"):
                self._threshold = ui.element("div").props('data-fact="menu"')
        ui.timer(REFRESH_S, self._follow)

    async def show_all(self) -> None:
        """Show the present log and its models."""
        await self._port.refresh()
        await self._show_saved()
        await self._show_log()

    async def _follow(self) -> None:
        """Show a log that someone else has chosen."""
        if self._personal.changes != self._changes:
            self._changes = self._personal.changes
            await self._show_log()

    async def _show_end(self, action: LongAction) -> None:
        if action.arguments[0] == "personalise":
            not_yet = [line for line in action.lines if line.startswith(_NOT_YET)]
            self._not_yet.set_text(not_yet[-1] if not_yet else "")
        await self._show_log()

    async def _show_log(self) -> None:
        log = await asyncio.to_thread(self._personal.log)
        self._log.set_text("No log yet." if log is None else f"✓ The present log: {log.origin}")
        await self._show_quality()
        found = await asyncio.to_thread(self._personal.result)
        self._not_yet.set_visibility(bool(self._not_yet.text))
        for content in (self._look, self._upload, self._threshold):
            content.clear()
        if found is None:
            for content in (self._look, self._upload, self._threshold):
                with content:
                    Text(_NO_LOG if log is None else _NO_MODEL, "p").classes("hint")
            return
        result, folder = found
        with self._look:
            _build_look(result, (PERSONAL_FOLDER, folder.parent.name, folder.name))
        with self._upload:
            _build_upload(result)
        with self._threshold:
            _build_threshold(result)

    async def _show_quality(self) -> None:
        try:
            found = await asyncio.to_thread(self._personal.quality)
        except StingerError as error:
            self._quality.clear()
            with self._quality:
                Text(f"⚠ The log cannot be read: {error}", "p").classes(_PROBLEM)
            return
        self._quality.clear()
        with self._quality:
            if found is None:
                Text(_NO_LOG, "p").classes("hint")
                return
            _build_quality(found.quality)
            for line in found.notes:
                Text(line, "p")

    async def _show_saved(self) -> None:
        folder = recordings_dir(self._settings.data_dir)
        try:
            rows = await asyncio.to_thread(list_rows, folder)
        except StingerError:
            rows = []
        self._saved.clear()
        with self._saved:
            if not rows:
                return
            with ui.element("form").classes("controls") as form:
                with ui.element("label").classes("field"):
                    Text("Recording of the daemon")
                    with ui.element("select").classes("plain").props("name=recording"):
                        for row in rows[:_RECORDINGS_LISTED]:
                            option = Text(f"{row.started} UTC, {row.device}, {row.seconds / 60:.1f} min", "option")
                            option.props["value"] = f"{row.folder}/{row.stem}"
                Text("Use this recording", "button").classes("plain").props("type=submit")
            form.on(
                "submit",
                self._use_saved,
                js_handler="(event) => { event.preventDefault(); emit(event.target.elements.recording.value); }",
            )

    async def _use_saved(self, event: Any) -> None:
        folder, _, stem = str(event.args).partition("/")

        def use() -> None:
            self._personal.use_saved(find_recording(recordings_dir(self._settings.data_dir), folder, stem))

        await self._start(use)

    async def _take_uploaded(self, event: Any) -> None:
        done, text = event.args
        ui.notify(str(text), type="positive" if done else "negative", timeout=8000)

    async def _start(self, start: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(start)
        except (StingerError, OSError) as error:
            ui.notify(f"Not started: {error}", type="negative", timeout=8000)


def _step(title: str) -> ui.element:
    """Return the entry of a step with its heading, as a context for its content."""
    entry = ui.element("li")
    with entry:
        Text(title, "h2")
    return entry


def _upload_form(uploaded: Callable[[Any], Any]) -> None:
    with ui.element("form").classes("controls").on("submit", uploaded, js_handler=_UPLOAD):
        with ui.element("label").classes("field"):
            Text("Log file")
            ui.element("input").props("type=file name=log accept=.bin,.csv,.zip required")
        Text("Use this file", "button").classes("plain").props("type=submit")


def _build_quality(quality: RecordingQuality) -> None:
    Text(f"{quality.score} of 100", "p").classes("verdict")
    with ui.element("ul").classes("needs"):
        need_bar(Need("Shots", quality.shots, GOOD_SHOTS, "shots", f"{ADVISED_SHOTS} or more are advised."))
        advice = f"Record {FEWEST_MINUTES:g} minutes or more."
        need_bar(Need("Recorded time", quality.minutes, GOOD_MINUTES, "minutes", advice, digits=1))
    for line in quality.warnings:
        Text(f"⚠ {line}", "p").classes(_PROBLEM)


def _build_look(result: PersonalResult, place: tuple[str, ...]) -> None:
    for model in result.models:
        Text(f"{model.menu_name}: {model.verdict}", "p").classes("" if model.beats_chance else _PROBLEM)
        Text(f"{model.menu_name}, tested on parts of the log that it was not trained on: {model.figures}", "p")
        if model.training:
            Text(f"{model.menu_name}: {model.training}", "p")
    for number, (name, text) in enumerate(result.pictures):
        url = file_url(*place, *name.split("/"))
        if number == 0:
            picture(text, url)
            continue
        with ui.element("details"):
            Text(text, "summary")
            picture(text, url)
    with ui.element("p"):
        for name, text in result.reports:
            ui.link(text, file_url(*place, *name.split("/")), new_tab=True)
            Text(". ")


def _build_upload(result: PersonalResult) -> None:
    names = " and ".join(model.menu_name for model in result.models if model.beats_chance)
    if names:
        Text(
            f"Uploads {names}, and then compares the weights that the blaster uses with those that were sent. Models uploaded "
            "before are replaced; the motors are off meanwhile.",
            "p",
        )
    else:
        Text(
            "No model is better than chance, so there is nothing to upload. Record more, and train again.", "p"
        ).classes("hint")


def _build_threshold(result: PersonalResult) -> None:
    chosen = [model for model in result.models if model.beats_chance]
    if not chosen:
        Text("There is no model to choose in the menu yet.", "p").classes("hint")
        return
    Text("After the upload, unplug the blaster. In its menu, under Motor, Idling:", "p")
    with ui.element("ul"):
        for model in chosen:
            Text(f"choose ML:{model.menu_name} and set the threshold to {model.threshold_percent} %", "li")
