"""The page of one recording: the picture with one or two models, shots, marks, downloads and deletion."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

from nicegui import ui

from models.choice import CHAMPION, FACTORY
from models.registry import Registry
from service.web.daemon_client import DaemonClient
from service.web.pages.layout import Text, is_shown, page_frame, plain_button
from service.web.pages.recording_view import RecordingView, ViewChoice, read_part
from service.web.scored_recording import ScoredRecording
from service.web.stored_recordings import delete_recording, find_recording
from stinger.errors import InputError, StingerError
from stinger.paths import recordings_dir, registry_dir

_NONE: Final = "none"


def add_recording_page(client: DaemonClient, data_dir: Path) -> None:
    """Add the page at ``/recording/FOLDER/STEM``."""
    folder = recordings_dir(data_dir)
    registry = Registry(registry_dir(data_dir))

    @ui.page("/recording/{device_folder}/{stem}")
    async def recording(device_folder: str, stem: str, model: str = CHAMPION, compare: str = "", part: int = 1) -> None:
        try:
            path = find_recording(folder, unquote(device_folder), unquote(stem))
        except InputError as error:
            with page_frame(client, "No such recording", "Recordings"):
                Text(f"Not found: {error}.", "p")
                ui.link("All recordings", "/recordings")
            return
        choice = ViewChoice(model, compare, part - 1)
        with page_frame(client, f"Recording {path.stem}", "Recordings"):
            _build_actions(folder, path)
            choices = ui.element("div").classes("controls")
            content = ui.element("div")
            with content:
                Text("Reading …", "p")
        if not await is_shown():
            return
        try:
            names = await asyncio.to_thread(_model_names, registry)
            with choices:
                _build_model_choices(names, choice)
            scored = await read_part(path, registry, choice)
        except StingerError as error:
            content.clear()
            with content:
                Text(f"Cannot be shown: {error}", "p").classes("bad")
            return
        with choices:
            _build_part_choice(scored, choice)
        content.clear()
        with content:
            RecordingView(path, registry, choice, scored)


def _model_names(registry: Registry) -> list[str]:
    return [CHAMPION, FACTORY, *reversed([version.id for version in registry.versions()])]


def _build_model_choices(names: list[str], choice: ViewChoice) -> None:
    _build_select("Model", {name: name for name in names}, choice, "model", choice.model)
    others = {"": _NONE, **{name: name for name in names}}
    _build_select("Compare with", others, choice, "compare", choice.compared)


def _build_part_choice(scored: ScoredRecording, choice: ViewChoice) -> None:
    if len(scored.parts) > 1:
        parts = {str(number): one.text for number, one in enumerate(scored.parts, start=1)}
        _build_select(f"Part of {len(parts)}", parts, choice, "part", str(scored.part + 1))


def _build_select(label: str, options: dict[str, str], choice: ViewChoice, name: str, chosen: str) -> None:
    """Build a choice of ``options``, texts by value; choosing one opens the page again with it."""
    with ui.element("div").classes("field"):
        name_of = Text(label, "label")
        select = ui.element("select").classes("plain")
        name_of.props(f"for={select.html_id}")
        select.props(f"id={select.html_id}")
        with select:
            for value, text in options.items():
                option = Text(text, "option")
                option.props["value"] = value
                option.props["selected"] = value == chosen

    def choose(event: Any) -> None:
        ui.navigate.to(f"?{urlencode({**choice.query(), name: str(event.args)})}")

    select.on("change", choose, js_handler="(event) => emit(event.target.value)")


def _build_actions(folder: Path, path: Path) -> None:
    address = f"/recordings/{quote(path.parent.name, safe='')}/{quote(path.stem, safe='')}"
    dialog = ui.element("dialog").props('aria-label="Delete the recording"')

    def delete() -> None:
        try:
            delete_recording(folder, path.parent.name, path.stem)
        except InputError as error:
            ui.run_javascript(f"getHtmlElement({dialog.id}).close()")
            ui.notify(f"Not deleted: {error}", type="negative", timeout=8000)
        else:
            ui.navigate.to("/recordings")

    with dialog:
        Text(f"Delete the recording {path.stem} of {path.parent.name}? It cannot be brought back.", "p")
        with ui.element("div").classes("controls"):
            plain_button("Delete it", delete)
            plain_button("Keep it", lambda: ui.run_javascript(f"getHtmlElement({dialog.id}).close()"))
    with ui.element("div").classes("controls"):
        ui.link("Download .bin", f"{address}.bin")
        ui.link("Download .csv", f"{address}.csv")
        ui.link("Download with marks (.zip)", f"{address}.zip")
        plain_button("Delete …", lambda: ui.run_javascript(f"getHtmlElement({dialog.id}).showModal()"))
