"""Recordings as files to download: sample records, CSV, and a bundle, which holds the marks as well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Final

from nicegui import app
from starlette.responses import PlainTextResponse, Response

from service.web.stored_recordings import find_recording
from stinger.errors import InputError
from stinger.logs import read_log, read_marked_log
from stinger.logs.bundle import BundleWriter, describe_recording, relative_samples
from stinger.logs.writing import encode_csv


@dataclass(frozen=True, slots=True)
class _Form:
    """A form in which a recording can be downloaded."""

    encode: Callable[[Path], bytes]
    """Raises :class:`InputError` for a recording that cannot be read."""
    media_type: str


def add_downloads(recordings: Path) -> None:
    """Serve the recordings below the folder ``recordings`` at ``/recordings/FOLDER/STEM.SUFFIX``."""

    @app.get("/recordings/{device_folder}/{name}")
    async def download(device_folder: str, name: str) -> Response:
        return await asyncio.to_thread(_download, recordings, device_folder, name)


def encode_bundle(path: Path) -> bytes:
    """Return the recording ``path`` as a bundle with its marks, without names, notes and dates."""
    log = read_marked_log(path)
    lines = [describe_recording(one, log.marks_of(position)) for position, one in enumerate(log.recordings)]
    if not lines:
        raise InputError(f"{path.stem} has no samples")
    file = BytesIO()
    writer = BundleWriter(file, lines)
    for recording in log.recordings:
        writer.add(relative_samples(recording))
    writer.close()
    return file.getvalue()


FORMS: Final = {
    "bin": _Form(Path.read_bytes, "application/octet-stream"),
    "csv": _Form(lambda path: encode_csv(read_log(path).samples), "text/csv"),
    "zip": _Form(encode_bundle, "application/zip"),
}
"""The forms of downloads, by suffix."""


def _download(folder: Path, device_folder: str, name: str) -> Response:
    stem, _, suffix = name.rpartition(".")
    form = FORMS.get(suffix)
    if form is None:
        return PlainTextResponse("Expected the name of a recording with .bin, .csv or .zip", HTTPStatus.NOT_FOUND)
    try:
        path = find_recording(folder, device_folder, stem)
        data = form.encode(path)
    except InputError as error:
        return PlainTextResponse(str(error), HTTPStatus.NOT_FOUND)
    disposition = f'attachment; filename="{path.stem}.{suffix}"'
    return Response(
        data, media_type=form.media_type, headers={"Content-Disposition": disposition, "Cache-Control": "no-store"}
    )
