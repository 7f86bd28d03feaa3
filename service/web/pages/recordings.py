"""The table of recordings, with upload, and the downloads."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from nicegui import app, ui
from starlette.responses import PlainTextResponse, Response

from service.base.logs import get_logger
from service.web.daemon_client import DaemonClient
from service.web.pages.layout import Text, page_frame
from service.web.stored_recordings import (
    MAX_UPLOAD_BYTES,
    RecordingRow,
    add_upload,
    count_shots,
    find_recording,
    list_rows,
)
from stinger.device_name import parse_device_name
from stinger.errors import InputError, StingerError
from stinger.logs import read_log
from stinger.logs.writing import encode_bin, encode_csv
from stinger.paths import recordings_dir
from stinger.quantities import size_text
from stinger.wording import counted

ROWS_SHOWN: Final = 200
NO_RECORDING: Final = (
    "No recording yet. The daemon records every blaster that streams to it: start it with 'stinger run'. "
    "You can also upload a log that was fetched with 'stinger pull'."
)
_COLUMNS: Final = ("Started, UTC", "Device", "Length", "Shots", "Size", "Model", "Notes")
_NUMBERS: Final = ("Length", "Shots", "Size")
_ENCODERS: Final = {"bin": (encode_bin, "application/octet-stream"), "csv": (encode_csv, "text/csv")}
_LOG = get_logger(__name__)
_UPLOAD: Final = """async (event) => {
  event.preventDefault();
  const form = event.target.elements;
  const file = form.log.files[0];
  const query = new URLSearchParams({ device: form.device.value, name: file.name });
  const answer = await fetch("/recordings/upload?" + query, { method: "POST", body: file });
  emit([answer.ok, await answer.text()]);
}"""


def add_recordings_page(client: DaemonClient, data_dir: Path) -> None:
    """Add the page at ``/recordings``, the downloads and the upload."""
    folder = recordings_dir(data_dir)

    @ui.page("/recordings")
    async def recordings() -> None:
        with page_frame(client, "Recordings", "Recordings"):
            content = ui.element("div")
            _upload_form(content, folder)
        await _show_table(content, folder)

    @app.get("/recordings/{device_folder}/{name}")
    async def download(device_folder: str, name: str) -> Response:
        return await asyncio.to_thread(_download, folder, device_folder, name)

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


async def _show_table(content: ui.element, folder: Path) -> None:
    rows = await asyncio.to_thread(list_rows, folder)
    shown = rows[:ROWS_SHOWN]
    shots = await asyncio.to_thread(lambda: [count_shots(folder / row.folder / f"{row.stem}.bin") for row in shown])
    content.clear()
    with content:
        if not rows:
            Text(NO_RECORDING, "p").classes("hint")
            return
        more = f"; the newest {ROWS_SHOWN} are shown" if len(rows) > ROWS_SHOWN else ""
        Text(f"{counted(len(rows), 'recording')}, {size_text(sum(row.bytes for row in rows))}{more}.", "p")
        frame = ui.element("div").classes("scroll").props('tabindex=0 role=region aria-label="Table of recordings"')
        with frame, ui.element("table"):
            with ui.element("thead"), ui.element("tr"):
                for name in _COLUMNS:
                    Text(name, "th").classes("number" if name in _NUMBERS else "").props("scope=col")
            with ui.element("tbody"):
                for row, count in zip(shown, shots, strict=True):
                    _build_row(row, count)


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
        Text("; ".join(row.notes)[:300], "td")


def _upload_form(content: ui.element, folder: Path) -> None:
    Text("Upload a log", "h2")
    Text("A .bin or .csv log of a blaster is kept as a recording of the device that you name.", "p")

    async def uploaded(event: Any) -> None:
        done, text = event.args
        ui.notify(text, type="positive" if done else "negative", timeout=8000)
        if done:
            await _show_table(content, folder)

    with ui.element("form").classes("controls").on("submit", uploaded, js_handler=_UPLOAD):
        with ui.element("label").classes("field"):
            Text("Log")
            ui.element("input").props("type=file name=log accept=.bin,.csv required")
        with ui.element("label").classes("field"):
            Text("Device")
            ui.element("input").props("type=text name=device required maxlength=64 autocomplete=off")
        Text("Upload", "button").classes("plain").props("type=submit")


async def _take_upload(request: Request, folder: Path, device: str, name: str) -> Response:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_UPLOAD_BYTES:
            text = f"Not kept: longer than {size_text(MAX_UPLOAD_BYTES)}"
            return PlainTextResponse(text, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        kept = await asyncio.to_thread(add_upload, folder, parse_device_name(device), name, bytes(data))
    except StingerError as error:
        return PlainTextResponse(f"Not kept: {error}", HTTPStatus.UNPROCESSABLE_ENTITY)
    _LOG.info("log_uploaded", device=device, recordings=len(kept), bytes=len(data))
    return PlainTextResponse(f"Kept as {', '.join(path.stem for path in kept)}")


def _download(folder: Path, device_folder: str, name: str) -> Response:
    stem, _, suffix = name.rpartition(".")
    if suffix not in _ENCODERS:
        return PlainTextResponse("Expected the name of a recording with .bin or .csv", HTTPStatus.NOT_FOUND)
    encode, kind = _ENCODERS[suffix]
    try:
        path = find_recording(folder, device_folder, stem)
        data = path.read_bytes() if suffix == "bin" else encode(read_log(path).samples)
    except InputError as error:
        return PlainTextResponse(str(error), HTTPStatus.NOT_FOUND)
    disposition = f'attachment; filename="{path.stem}.{suffix}"'
    return Response(data, media_type=kind, headers={"Content-Disposition": disposition, "Cache-Control": "no-store"})
