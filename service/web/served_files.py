"""Reports and pictures in the data folder that the page serves: found by name, and never anything else."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote

from nicegui import app
from starlette.responses import PlainTextResponse, Response

from stinger.errors import FileError, InputError
from stinger.files import read_bytes

_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=-]{0,99}")
"""One name in a path: it cannot begin with a dot, so it leads neither up nor to hidden files."""
_TYPES: Final = {
    ".png": "image/png",
    ".md": "text/plain; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
}
_SANDBOX: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""For reports: no script, nothing loaded, and no access to the page. The page's own policy holds as well."""


def file_url(folder: str, *parts: str) -> str:
    """Return the address of a file below ``folder`` of the data folder."""
    return "/".join(["/files", *(quote(part, safe="") for part in (folder, *parts))])


def add_files(data_dir: Path, folders: frozenset[str]) -> None:
    """Serve the files below ``folders`` of the data folder at the addresses that :func:`file_url` gives."""

    @app.get("/files/{folder}/{name:path}")
    async def file(folder: str, name: str) -> Response:
        if folder not in folders:
            return PlainTextResponse("There is no such folder", HTTPStatus.NOT_FOUND)
        return await asyncio.to_thread(_answer, data_dir / folder, name)


def find_file(folder: Path, name: str) -> Path:
    """Return the file ``name`` below ``folder``; parts of the name are separated by ``/``.

    Raises :class:`InputError` for anything that is not a file in there of a kind that is served. Neither a name nor a
    link leads out of the folder.
    """
    parts = name.split("/")
    path = folder.joinpath(*parts) if all(map(_PART.fullmatch, parts)) else None
    if path is None or path.suffix not in _TYPES or not path.is_file():
        raise InputError("there is no such file: it may have been deleted")
    if path.resolve() != folder.resolve().joinpath(*parts):
        raise InputError("links are not served")
    return path


def _answer(folder: Path, name: str) -> Response:
    try:
        path = find_file(folder, name)
        data = read_bytes(path)
    except (InputError, FileError) as error:
        return PlainTextResponse(str(error), HTTPStatus.NOT_FOUND)
    headers = {"Content-Security-Policy": _SANDBOX, "Cache-Control": "no-store"}
    return Response(data, media_type=_TYPES[path.suffix], headers=headers)
