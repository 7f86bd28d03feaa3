"""The page of one recording: its picture with a model's output over it, its shots, downloads, and deleting it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from nicegui import ui

from models.choice import CHAMPION, FACTORY
from models.registry import Registry
from service.web.daemon_client import DaemonClient
from service.web.pages.device import plain_button
from service.web.pages.layout import Text, page_frame
from service.web.pages.live_chart import RecordingChart
from service.web.pages.recordings import length_text
from service.web.scored_recording import ScoredRecording, StillMark, score_stored
from service.web.stored_recordings import delete_recording, find_recording
from stinger.errors import InputError, StingerError
from stinger.paths import recordings_dir, registry_dir

_SHOT_SPAN_S: Final = 5
_SHOTS_LISTED: Final = 300


def add_recording_page(client: DaemonClient, data_dir: Path) -> None:
    """Add the page at ``/recording/FOLDER/STEM``."""
    folder = recordings_dir(data_dir)
    registry = Registry(registry_dir(data_dir))

    @ui.page("/recording/{device_folder}/{stem}")
    async def recording(device_folder: str, stem: str, model: str = CHAMPION) -> None:
        try:
            path = find_recording(folder, unquote(device_folder), unquote(stem))
        except InputError as error:
            with page_frame(client, "No such recording", "Recordings"):
                Text(f"Not found: {error}.", "p")
                ui.link("All recordings", "/recordings")
            return
        with page_frame(client, f"Recording {path.stem}", "Recordings"):
            _build_actions(folder, path)
            _model_choice(registry, model)
            content = ui.element("div")
            with content:
                Text("Reading …", "p")
        try:
            scored = await asyncio.to_thread(score_stored, path, registry, model)
        except StingerError as error:
            content.clear()
            with content:
                Text(f"Cannot be shown: {error}", "p").classes("bad")
            return
        content.clear()
        with content:
            _build_content(scored)


def _build_content(scored: ScoredRecording) -> None:
    if scored.hint:
        Text(scored.hint, "p").classes("hint")
    chart = RecordingChart(scored)
    Text("Shots", "h2")
    shots = scored.shots
    in_time = sum(shot.kind == "in time" for shot in shots)
    Text(
        f"{in_time} of {len(shots)} in time with this model, as the daemon would have decided." if shots else "None.",
        "p",
    )
    with ui.element("div").classes("controls shots"):
        for number, shot in enumerate(shots[:_SHOTS_LISTED], start=1):
            plain_button(_shot_text(number, shot), partial(chart.show, shot.time_ms, _SHOT_SPAN_S))


def _shot_text(number: int, shot: StillMark) -> str:
    verdict = "✓ in time" if shot.kind == "in time" else "✕ too late"
    return f"{number}: {length_text(shot.time_ms / 1000)} {verdict}"


def _model_choice(registry: Registry, chosen: str) -> None:
    names = [CHAMPION, FACTORY, *reversed([version.id for version in registry.versions()])]
    with ui.element("label").classes("field"):
        Text("Model")
        select = ui.element("select").classes("plain")
        with select:
            for name in names:
                option = Text(name, "option")
                option.props["value"] = name
                option.props["selected"] = name == chosen

    def choose(event: Any) -> None:
        ui.navigate.to(f"?model={quote(str(event.args), safe='')}")

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
        plain_button("Delete …", lambda: ui.run_javascript(f"getHtmlElement({dialog.id}).showModal()"))
