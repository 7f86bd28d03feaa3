"""The recordings in the data folder, for the page: listed, found by name, added and deleted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from service.recording.sidecar import RecordingNote, Sidecar
from service.recording.store import StoredRecording, device_folder, list_files, read_store, recording_paths
from stinger.device_name import DeviceName
from stinger.errors import FileError, InputError
from stinger.files import os_errors, write_bytes
from stinger.logs import parse_log, read_marked_log
from stinger.logs.marked import sidecar_path
from stinger.logs.writing import encode_bin
from stinger.marks import trimmed
from stinger.private_files import private_files
from stinger.recording_name import stem_time
from stinger.sample import SAMPLE_BYTES, SAMPLE_RATE_HZ
from stinger.shots import count_shots
from stinger.utc import utc_text
from stinger.wording import printable

MAX_UPLOAD_BYTES: Final = 64_000_000
"""About four times the largest log of a blaster, as CSV."""
_COUNTED_FILES: Final = 4_096


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """What the table shows of a recording."""

    folder: str
    """Name of the folder that it is in; with :attr:`stem`, this identifies it."""
    stem: str
    device: str
    started: str
    """UTC, to the second."""
    seconds: float
    """Length of its samples, without gaps."""
    bytes: int
    model: str
    notes: tuple[str, ...]
    closed: bool
    marked: str
    """What is marked in it, in words; empty if nothing is."""

    def matches(self, words: Sequence[str]) -> bool:
        """Return whether each of ``words``, in lower case, is in what the table shows of the recording."""
        text = " ".join((self.device, self.started, self.model, *self.notes, self.marked)).lower()
        return all(word in text for word in words)


def list_rows(recordings: Path) -> list[RecordingRow]:
    """Return the recordings below the folder ``recordings``, the newest first."""
    stored = read_store(recordings).recordings
    return sorted(map(_row, stored), key=lambda row: row.stem, reverse=True)


def names_of(recordings: Path) -> tuple[Path, ...]:
    """Return the paths of the recordings below the folder ``recordings``, to see whether some are new.

    None is opened.
    """
    return list_files(recordings).recordings


def find_recording(recordings: Path, folder: str, stem: str) -> Path:
    """Return the ``.bin`` file of a recording.

    Raises :class:`InputError` for anything that is not a recording in there.

    Only files that the store lists are found: no name leads out of the folder, nor does a link in it.
    """
    for path in list_files(recordings).recordings:
        if (path.parent.name, path.stem) == (folder, stem):
            if path.resolve().is_relative_to(recordings.resolve()):
                return path
            break
    raise InputError("there is no such recording: it may have been deleted")


def usable_shots(path: Path) -> int | None:
    """Return the number of accepted shots in a recording, without those that its marks leave out.

    ``None`` for one that cannot be read.
    """
    try:
        return _usable_shots(path, _state(path), _state(sidecar_path(path)))
    except (OSError, InputError):
        return None


def add_upload(recordings: Path, device: DeviceName, name: str, data: bytes) -> list[Path]:
    """Keep the log ``data``, a file that was called ``name``, as recordings of ``device``, one for each boot in it.

    The marks in a bundle are kept.

    Raises :class:`InputError` for a log that cannot be read, and if the device's folder is a link to another place.
    """
    log = parse_log(data, printable(name)[:100])
    if not log.recordings:
        raise InputError(f"{printable(name)[:100]} has no samples")
    now_s = time.time()
    folder = device_folder(recordings, device)
    if not folder.resolve().is_relative_to(recordings.resolve()):
        raise InputError(f"the folder of {device} is a link that leads out of the data folder")
    kept = []
    with private_files(recordings.parent), os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for position, recording in enumerate(log.recordings):
            path = next(path for path in recording_paths(folder, now_s) if not path.exists())
            sidecar = Sidecar(
                device=device,
                started=utc_text(now_s),
                samples=len(recording),
                gaps=len(recording.gaps()),
                notes=(RecordingNote(utc_text(now_s), f"uploaded: {printable(name)[:100]}"),),
                marks=trimmed([log.marks_of(position)]),
                closed=True,
            )
            # The recording first: a sidecar without one would be deleted as what is left of a recording.
            write_bytes(path, encode_bin(recording.samples))
            write_bytes(sidecar_path(path), sidecar.to_json())
            kept.append(path)
    return kept


def delete_recording(recordings: Path, folder: str, stem: str) -> None:
    """Delete a recording and its sidecar.

    Raises :class:`InputError` for one that is still being written, or not there.
    """
    path = find_recording(recordings, folder, stem)
    stored = [one for one in read_store(recordings).recordings if one.path == path]
    if not all(one.closed for one in stored):
        raise InputError("it is still being written: stop the recording first")
    with os_errors(path):
        path.unlink()
    # The sidecar last: a recording without one would be taken for one that a killed daemon left open.
    with os_errors(path):
        sidecar_path(path).unlink(missing_ok=True)


def _state(path: Path) -> tuple[int, int]:
    """Return size and time of change of ``path``; zeros if it does not exist."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


@lru_cache(_COUNTED_FILES)
def _usable_shots(path: Path, _recording: tuple[int, int], _sidecar: tuple[int, int]) -> int | None:
    try:
        log = read_marked_log(path)
    except FileError:
        return None
    return sum(
        count_shots(recording, marks=log.marks_of(position)).accepted
        for position, recording in enumerate(log.recordings)
    )


def _row(stored: StoredRecording) -> RecordingRow:
    sidecar, started = stored.sidecar, stem_time(stored.path.stem)
    return RecordingRow(
        folder=stored.path.parent.name,
        stem=stored.path.stem,
        device=stored.device,
        started="?" if started is None else f"{started:%Y-%m-%d %H:%M:%S}",
        seconds=stored.samples_bytes // SAMPLE_BYTES / SAMPLE_RATE_HZ,
        bytes=stored.bytes,
        model=(sidecar.model or "") if sidecar else "",
        notes=tuple(note.text for note in sidecar.notes) if sidecar else (),
        closed=stored.closed,
        marked="; ".join(marks.text() for marks in sidecar.marks if marks) if sidecar else "",
    )
