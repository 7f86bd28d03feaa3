"""The journal of uploads: a file in the data folder with a line for each recording that is in shared storage.

It survives a killed daemon: what has no line is uploaded after the next start. Each line is written after its upload,
so a kill between the two leads to a second upload of the same content, not to a missing one.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stinger.errors import FileError
from stinger.files import os_errors, read_bytes, regular_opener, write_bytes
from stinger.storage_url import StorageUrl

JOURNAL_NAME: Final = "uploaded.jsonl"
"""The name of its file in the data folder."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One recording, as it was when it was uploaded."""

    size: int
    """Bytes of its samples."""
    sidecar_ns: int
    """When its sidecar was written: ``st_mtime_ns``. A later sidecar is uploaded again."""


def upload_name(recording: Path) -> str:
    """Return the name of the recording ``recording`` in the journal and below the daemon's folder in shared storage."""
    return f"{recording.parent.name}/{recording.name}"


class UploadJournal:
    """What was uploaded to the folder ``url``, as recorded in the file ``path``.

    One process writes it, others may read it.

    A journal of another folder counts as empty, and is replaced with the first line that is written. Raises
    :class:`FileError` if the journal cannot be read.
    """

    def __init__(self, path: Path, url: StorageUrl) -> None:
        self._path = path
        self._url = url
        self._uploads: dict[str, Upload] = {}
        self._can_append = False
        self.refresh()

    def refresh(self) -> None:
        """Read the journal again, which another process may have written."""
        self._uploads, self._can_append = _read(self._path, self._url)

    def find(self, name: str) -> Upload | None:
        """Return what was uploaded of the recording ``name``, ``DEVICE/TIME.bin``; ``None`` for nothing."""
        return self._uploads.get(name)

    def add(self, name: str, upload: Upload) -> None:
        """Note the upload of ``name``. Raises :class:`FileError`."""
        if not self._can_append:
            self._rewrite(self._uploads)
        with os_errors(self._path), open(self._path, "ab", opener=regular_opener) as file:
            file.write(_line_of(name, upload))
        self._uploads[name] = upload

    def drop_deleted(self, recordings: Path) -> None:
        """Forget the recordings that are no longer below the folder ``recordings``. Raises :class:`FileError`."""
        kept = {name: upload for name, upload in self._uploads.items() if os.path.lexists(recordings / name)}
        if len(kept) < len(self._uploads):
            self._rewrite(kept)

    def _rewrite(self, uploads: dict[str, Upload]) -> None:
        lines = [_line({"url": self._url.text})]
        lines += [_line_of(name, upload) for name, upload in uploads.items()]
        write_bytes(self._path, b"".join(lines))
        self._uploads, self._can_append = dict(uploads), True


def _line_of(name: str, upload: Upload) -> bytes:
    return _line({"file": name, "size": upload.size, "sidecar_ns": upload.sidecar_ns})


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values).encode() + b"\n"


def _read(path: Path, url: StorageUrl) -> tuple[dict[str, Upload], bool]:
    """Return the uploads in the journal of ``url``, without damaged lines, and whether lines can be added to the file.

    They cannot if it is the journal of another folder, or ends with a line that a kill left incomplete.
    """
    try:
        head, *lines = read_bytes(path).split(b"\n")
    except FileError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return {}, False
        raise
    if _values(head).get("url") != url.text:
        return {}, False
    uploads = {}
    for line in lines:
        values = _values(line)
        name, size, sidecar_ns = values.get("file"), values.get("size"), values.get("sidecar_ns")
        if isinstance(name, str) and isinstance(size, int) and isinstance(sidecar_ns, int):
            uploads[name] = Upload(size, sidecar_ns)
    return uploads, bool(lines) and not lines[-1]


def _values(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
