"""The table of recordings, with upload."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from nicegui import app, ui
from starlette.responses import PlainTextResponse, Response

from service.base.logs import get_logger
from service.web.action_settings import ActionSettings
from service.web.daemon_client import DaemonClient
from service.web.pages.layout import Text, is_shown, page_frame, plain_button, show_hint
from service.web.shared_storage import recordings_elsewhere
from service.web.stored_recordings import (
    RecordingRow,
    add_upload,
    list_rows,
    names_of,
    usable_shots,
)
from service.web.uploads import read_upload
from stinger.device_name import parse_device_name
from stinger.errors import InputError, StingerError
from stinger.paths import recordings_dir
from stinger.quantities import size_text
from stinger.wording import counted

ROWS_SHOWN: Final = 200
LOOK_AGAIN_S: Final = 2.0
"""How often the page looks for new recordings."""
NO_RECORDING: Final = (
    "No recording yet. The daemon records every blaster that streams to it: start it with 'stinger run'. "
    "You can also upload a log that was fetched with 'stinger pull'."
)
_COLUMNS: Final = ("Started, UTC", "Device", "Length", "Shots", "Size", "Model", "Notes")
_NUMBERS: Final = ("Length", "Shots", "Size")
_LOG = get_logger(__name__)
_UPLOAD: Final = """async (event) => {
  event.preventDefault();
  const form = event.target.elements;
  const file = form.log.files[0];
  const query = new URLSearchParams({ device: form.device.value, name: file.name });
  const answer = await fetch("/recordings/upload?" + query, { method: "POST", body: file });
  emit([answer.ok, await answer.text()]);
}"""


def add_recordings_page(client: DaemonClient, settings: ActionSettings) -> None:
    """Add the page at ``/recordings``, and the upload."""
    folder = recordings_dir(settings.data_dir)

    @ui.page("/recordings")
    async def recordings() -> None:
        with page_frame(client, "Recordings", "Recordings"):
            show_hint(recordings_elsewhere(settings))
            table = _Table(folder)
            _upload_form(table)
        if await is_shown():
            await table.read()

    @app.post("/recordings/upload")
    async def upload(request: Request, device: str = "", name: str = "") -> Response:
        return await _take_upload(request, folder, device, name)


def recording_url(row: RecordingRow) -> str:
    """Return the address of the page of one recording."""
    return f"/recording/{quote(row.folder, safe='')}/{quote(row.stem, safe='')}"


def length_text(seconds: float) -> str:
    """Return a length of time as minutes and seconds.

    >>> length_text(125.04)
    '2:05.0'
    """
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


class _Table:
    """The table of the recordings in ``folder``: a search over all of them, and a page of the newest that match.

    New recordings are shown as they come.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[RecordingRow] = []
        self._names: tuple[Path, ...] | None = None
        self._words: list[str] = []
        self._first = 0
        self._search = ui.element("div").classes("controls")
        self._content = ui.element("div")
        with self._search, ui.element("label").classes("field"):
            Text("Search")
            field = ui.element("input").props("type=search autocomplete=off placeholder='device, date, model, note'")
            field.on("input", self._find, js_handler="(e) => emit(e.target.value)", throttle=0.2, leading_events=False)
        self._search.set_visibility(False)
        with self._content:
            Text("Reading …", "p")
        ui.timer(LOOK_AGAIN_S, self._look_again)

    async def read(self) -> None:
        """Read the recordings anew and show them."""
        self._names = await asyncio.to_thread(names_of, self._folder)
        self._rows = await asyncio.to_thread(list_rows, self._folder)
        self._search.set_visibility(bool(self._rows))
        await self._show()

    async def _look_again(self) -> None:
        if self._names is not None and await asyncio.to_thread(names_of, self._folder) != self._names:
            await self.read()

    async def _find(self, event: Any) -> None:
        self._words, self._first = str(event.args).lower().split(), 0
        await self._show()

    async def _turn(self, rows: int) -> None:
        self._first += rows
        await self._show()

    async def _show(self) -> None:
        found = [row for row in self._rows if row.matches(self._words)]
        self._first = max(0, min(self._first, len(found) - 1))
        shown = found[self._first : self._first + ROWS_SHOWN]
        shots = await asyncio.to_thread(
            lambda: [usable_shots(self._folder / row.folder / f"{row.stem}.bin") for row in shown]
        )
        self._content.clear()
        with self._content:
            if not self._rows:
                Text(NO_RECORDING, "p").classes("hint")
                return
            Text(self._summary(found), "p").props("aria-live=polite")
            if not found:
                return
            frame = ui.element("div").classes("scroll").props('tabindex=0 role=region aria-label="Table of recordings"')
            with frame, ui.element("table"):
                with ui.element("thead"), ui.element("tr"):
                    for name in _COLUMNS:
                        Text(name, "th").classes("number" if name in _NUMBERS else "").props("scope=col")
                with ui.element("tbody"):
                    for row, count in zip(shown, shots, strict=True):
                        _build_row(row, count)
            with ui.element("div").classes("controls"):
                if self._first:
                    plain_button("Newer", partial(self._turn, -ROWS_SHOWN))
                if self._first + ROWS_SHOWN < len(found):
                    plain_button("Older", partial(self._turn, ROWS_SHOWN))

    def _summary(self, found: Sequence[RecordingRow]) -> str:
        """Return how many recordings there are, how many match, and which of them are shown."""
        everything = f"{counted(len(self._rows), 'recording')}, {size_text(sum(row.bytes for row in self._rows))}"
        if self._words:
            everything += f"; {len(found):,} match" if found else "; none matches: search for something else"
        if len(found) > ROWS_SHOWN:
            everything += f"; {self._first + 1:,} to {min(self._first + ROWS_SHOWN, len(found)):,} are shown"
        return f"{everything}."


def _build_row(row: RecordingRow, shots: int | None) -> None:
    with ui.element("tr"):
        with ui.element("td"):
            ui.link(row.started, recording_url(row))
            if not row.closed:
                Text(" ● open")
        Text(row.device, "td")
        Text(length_text(row.seconds), "td").classes("number")
        Text("?" if shots is None else str(shots), "td").classes("number")
        Text(size_text(row.bytes), "td").classes("number")
        Text(row.model, "td")
        Text("; ".join((*([row.marked] if row.marked else []), *row.notes))[:300], "td")


def _upload_form(table: _Table) -> None:
    Text("Upload a log", "h2")
    Text(
        "A .bin or .csv log of a blaster, or a bundle of recordings (.zip), is kept as recordings of the device that you name.",
        "p",
    )

    async def uploaded(event: Any) -> None:
        done, text = event.args
        ui.notify(text, type="positive" if done else "negative", timeout=8000)
        if done:
            await table.read()

    with ui.element("form").classes("controls").on("submit", uploaded, js_handler=_UPLOAD):
        with ui.element("label").classes("field"):
            Text("Log")
            ui.element("input").props("type=file name=log accept=.bin,.csv,.zip required")
        with ui.element("label").classes("field"):
            Text("Device")
            ui.element("input").props("type=text name=device required maxlength=64 autocomplete=off")
        Text("Upload", "button").classes("plain").props("type=submit")


async def _take_upload(request: Request, folder: Path, device: str, name: str) -> Response:
    try:
        data = await read_upload(request)
    except InputError as error:
        return PlainTextResponse(f"Not kept: {error}", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        kept = await asyncio.to_thread(add_upload, folder, parse_device_name(device), name, data)
    except StingerError as error:
        return PlainTextResponse(f"Not kept: {error}", HTTPStatus.UNPROCESSABLE_ENTITY)
    _LOG.info("log_uploaded", device=device, recordings=len(kept), bytes=len(data))
    return PlainTextResponse(f"Kept as {', '.join(path.stem for path in kept)}")
