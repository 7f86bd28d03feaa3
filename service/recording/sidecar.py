"""The JSON file beside a recording: device, start, number of samples, notes, and why the recording ended."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from stinger.errors import FileError
from stinger.files import StrPath, os_errors, read_bytes
from stinger.logs.marked import MARKS_KEY, SIDECAR_MAX_BYTES
from stinger.marks import Marks, parse_file_marks
from stinger.sample import SAMPLE_RATE_HZ

SCHEMA: Final = 1


class EndReason(StrEnum):
    """Why a recording was closed; the value is what the sidecar holds."""

    REBOOT = "reboot"
    """The device's clock started over."""
    CLOCK_WRAP = "clock wrap"
    """The device's 32-bit clock passed its highest value."""
    SIZE = "size"
    """The file reached the size limit."""
    COMMAND = "command"
    """Recording was stopped, or a new file requested, by a command."""
    REST = "rest"
    """Too many files were open, and no other device had been silent for as long."""
    DISK = "disk"
    """The disk failed, or the file was deleted while it was being written."""
    STOP = "stop"
    """The daemon stopped."""
    RECOVERED = "recovered"
    """The daemon was killed; its next start closed the recording."""


@dataclass(frozen=True, slots=True)
class RecordingNote:
    """A text that a person or the daemon attached to a recording."""

    time: str
    """When it was written, UTC, ISO 8601."""
    text: str


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The description of one recording. Times are from the host's clock, UTC, ISO 8601 with milliseconds."""

    device: str
    started: str
    """When the first sample was taken."""
    boot: int = 0
    """Increases with every start of the device's clock, within one run of the daemon."""
    clock_zero_ms: int | None = None
    """Unix time in ms at which the device's clock was 0, by which events of this boot are identified; None if unknown."""
    rate_hz: int = SAMPLE_RATE_HZ
    firmware: str | None = None
    model: str | None = None
    """Version of the model in use when the recording began, or the first one that was known afterwards."""
    samples: int = 0
    """Number of samples when the sidecar was written: a recording that is still open holds more."""
    gaps: int = 0
    """Number of steps of more than 50 ms between two samples."""
    lost_to_disk: int = 0
    """Number of samples that were received and could not be written."""
    notes: tuple[RecordingNote, ...] = ()
    marks: tuple[Marks, ...] = ()
    """What a person marked, as :attr:`stinger.logs.Log.marks`; the daemon keeps what is in the file."""
    closed: bool = False
    """False while samples are being added, and after the daemon was killed, until its next start."""
    end: EndReason | str | None = None
    """Why it was closed; a newer version of the program may have written a reason that is not in :class:`EndReason`."""

    def to_json(self) -> bytes:
        """Return the content of the sidecar file."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["notes"] = [{"time": note.time, "text": note.text} for note in self.notes]
        values[MARKS_KEY] = [marks.to_json() for marks in self.marks]
        if not self.marks:
            del values[MARKS_KEY]
        text = json.dumps({"schema": SCHEMA, **values}, indent=2, ensure_ascii=False)
        # A note from the network can hold half of a surrogate pair, which UTF-8 cannot: written as JSON escapes it,
        # \ud800.
        return text.encode(errors="backslashreplace") + b"\n"


def read_sidecar(path: StrPath) -> Sidecar:
    """Read the sidecar file ``path``. Raises :class:`FileError` if it is missing or not a valid sidecar."""
    with os_errors(path):
        if Path(path).stat().st_size > SIDECAR_MAX_BYTES:
            raise FileError(path, f"is not a sidecar: more than {SIDECAR_MAX_BYTES:,} bytes")
    try:
        values = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise FileError(path, "is not JSON") from error
    if not isinstance(values, dict) or values.pop("schema", None) != SCHEMA:
        raise FileError(path, f"is not a sidecar of schema {SCHEMA}")
    try:
        return _checked(values)
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(path, f"is not a sidecar of a recording: {error}") from error


def _checked(values: dict[str, Any]) -> Sidecar:
    known = {field.name for field in fields(Sidecar)}
    values = {name: value for name, value in values.items() if name in known}
    values["notes"] = tuple(RecordingNote(str(note["time"]), str(note["text"])) for note in values.get("notes", ()))
    values[MARKS_KEY] = parse_file_marks(values.get(MARKS_KEY, []))
    kinds: dict[str, type | tuple[type, ...]] = {
        **dict.fromkeys(("device", "started"), str),
        **dict.fromkeys(("boot", "rate_hz", "samples", "gaps", "lost_to_disk"), int),
        **dict.fromkeys(("firmware", "model", "end"), (str, type(None))),
        "clock_zero_ms": (int, type(None)),
        "closed": bool,
    }
    for name, kind in kinds.items():
        if name in values and not isinstance(values[name], kind):
            raise ValueError(f"{name} is {values[name]!r:.40}")
    return Sidecar(**values)
