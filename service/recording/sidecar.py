"""The JSON file beside a recording: whose samples it holds, since when, and what happened to them."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stinger.device_name import DeviceName, device_of_folder, folder_of_device
from stinger.errors import FileError
from stinger.files import StrPath, os_errors, read_bytes
from stinger.sample import SAMPLE_RATE_HZ

SCHEMA: Final = 1
RECORDING_ENDING: Final = ".bin"
SIDECAR_ENDING: Final = ".json"
STEM: Final = re.compile(r"(\d{8}T\d{6}\.\d{3})Z(_\d+)?")
"""The name of a recording without its ending; the first group is the time, as :func:`file_stem` writes it."""

# A sidecar is small; a larger file is none, and not worth the memory.
_MAX_BYTES: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Note:
    """A text that a person or the daemon kept with a recording."""

    time: str
    """UTC, ISO 8601."""
    text: str


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What is known of one recording. Times are UTC, ISO 8601 with milliseconds, of the host's clock."""

    device: str
    started: str
    """When the first sample was taken."""
    boot: int = 0
    """Grows with every start of the device's clock, within one run of the daemon."""
    rate_hz: int = SAMPLE_RATE_HZ
    firmware: str | None = None
    model: str | None = None
    """Version of the model in use when the recording began."""
    samples: int = 0
    """As of the writing of the sidecar: an open recording holds more."""
    gaps: int = 0
    """Steps of more than 50 ms between two samples."""
    lost_to_disk: int = 0
    """Samples that came and could not be written."""
    notes: tuple[Note, ...] = ()
    closed: bool = False
    """False while samples are being added; also after the daemon was killed, until its next start."""
    end: str | None = None
    """Why it was closed: ``reboot``, ``clock wrap``, ``size``, ``command``, ``stop``, ``disk``, ``recovered``."""

    def to_json(self) -> bytes:
        """The file's content."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["notes"] = [{"time": note.time, "text": note.text} for note in self.notes]
        return json.dumps({"schema": SCHEMA, **values}, indent=2, ensure_ascii=False).encode() + b"\n"


def read_sidecar(path: StrPath) -> Sidecar:
    """The sidecar at ``path``. Raises :class:`FileError` where there is none, or one that cannot be understood."""
    with os_errors(path):
        if Path(path).stat().st_size > _MAX_BYTES:
            raise FileError(path, f"is no sidecar: more than {_MAX_BYTES:,} bytes")
    try:
        values = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise FileError(path, "is not JSON") from error
    if not isinstance(values, dict) or values.pop("schema", None) != SCHEMA:
        raise FileError(path, f"is no sidecar of schema {SCHEMA}")
    try:
        return _checked(values)
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(path, f"is no sidecar of a recording: {error}") from error


def device_folder(recordings: Path, device: DeviceName) -> Path:
    """Return the folder for the recordings of ``device``, directly within ``recordings``."""
    return recordings / folder_of_device(device)


def recorded_device(folder: Path) -> str:
    """Return the device whose recordings are in ``folder``: the folder's own name if no device has such a folder."""
    return device_of_folder(folder.name) or folder.name


def sidecar_path(recording: Path) -> Path:
    """Where the sidecar of the ``.bin`` file ``recording`` is."""
    return recording.with_suffix(SIDECAR_ENDING)


def utc_text(unix_s: float) -> str:
    """``unix_s`` as UTC text, ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def file_stem(unix_s: float) -> str:
    """``unix_s`` as the name of a recording, which sorts by time: ``20260131T170203.456Z``."""
    moment = datetime.fromtimestamp(unix_s, UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"


def sensible_time(unix_s: float, otherwise_s: float) -> float:
    """``unix_s`` if it is a moment that can be written (1970 to 9999), else ``otherwise_s``."""
    return unix_s if math.isfinite(unix_s) and 0 <= unix_s < 253_402_300_799 else otherwise_s  # noqa: PLR2004


def _checked(values: dict[str, Any]) -> Sidecar:
    known = {field.name for field in fields(Sidecar)}
    values = {name: value for name, value in values.items() if name in known}
    values["notes"] = tuple(Note(str(note["time"]), str(note["text"])) for note in values.get("notes", ()))
    kinds: dict[str, type | tuple[type, ...]] = {
        **dict.fromkeys(("device", "started"), str),
        **dict.fromkeys(("boot", "rate_hz", "samples", "gaps", "lost_to_disk"), int),
        **dict.fromkeys(("firmware", "model", "end"), (str, type(None))),
        "closed": bool,
    }
    for name, kind in kinds.items():
        if name in values and not isinstance(values[name], kind):
            raise ValueError(f"{name} is {values[name]!r:.40}")
    return Sidecar(**values)
