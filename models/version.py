"""One version in the registry: its id, its files, and what was measured when it was stored."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from stinger.errors import FileError, InputError
from stinger.files import read_bytes
from stinger.json_number import finite_number

MODEL_FILE: Final = "model.onnx"
BLASTER_FILE: Final = "model.mlmd"
REPORT_FILE: Final = "report.json"
RECORD_FILE: Final = "stored.json"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}")
_OBJECT_MAX_BYTES: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """What is known about a stored model file.

    Damage is noticed by it, and a model that was tried need not be tried again.
    """

    sha256: str
    us_per_sample: float | None = None
    """Processor time to score a sample, in microseconds; ``None`` if the model was not tried when it was stored."""

    def to_json(self) -> bytes:
        """Return the content of its file."""
        return (json.dumps(asdict(self), indent=2) + "\n").encode()


def record_of(model: bytes, us_per_sample: float | None) -> VersionRecord:
    """Return the record of a model file."""
    return VersionRecord(sha256(model).hexdigest(), us_per_sample)


@dataclass(frozen=True, slots=True)
class Version:
    """One stored model. ``id`` is the name of its folder: the UTC time at which it was added, and a name."""

    id: str
    folder: Path

    @property
    def model_path(self) -> Path:
        """The ONNX file."""
        return self.folder / MODEL_FILE

    @property
    def blaster_path(self) -> Path | None:
        """The file for the blaster; ``None`` if the blaster cannot run this model."""
        path = self.folder / BLASTER_FILE
        return path if path.is_file() else None

    def state(self) -> tuple[object, ...]:
        """Return a value that differs once the model file, or what is known about it, is replaced or changed."""
        return (self.id, *(_file_state(self.folder / name) for name in (MODEL_FILE, RECORD_FILE, REPORT_FILE)))

    def report(self) -> dict[str, Any]:
        """Read the report that was stored with the model. Raises :class:`FileError`."""
        return _read_object(self.folder / REPORT_FILE)

    def record(self) -> VersionRecord | None:
        """Read the record that was stored with the model; ``None`` if it has none, or a damaged one.

        Older versions of this program stored none. For a model that a person had added, the report has the hash.
        """
        try:
            return _record(_read_object(self.folder / RECORD_FILE))
        except FileError:
            pass
        try:
            return _record({"sha256": self.report().get("sha256")})
        except FileError:
            return None

    def check_content(self, model: bytes) -> VersionRecord | None:
        """Return the record if ``model``, the content of the model file, is what was stored, ``None`` without a record.

        Raises :class:`FileError` if it is not.
        """
        record = self.record()
        if record is not None and sha256(model).hexdigest() != record.sha256:
            raise FileError(self.model_path, "is damaged: its sha256 is not that of the file that was stored")
        return record


def _file_state(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _record(values: dict[str, Any]) -> VersionRecord | None:
    digest = values.get("sha256")
    return VersionRecord(digest, finite_number(values.get("us_per_sample"))) if isinstance(digest, str) else None


def _read_object(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(read_bytes(path, at_most=_OBJECT_MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise FileError(path, "is not JSON") from error
    if not isinstance(values, dict):
        raise FileError(path, "is not a JSON object")
    return values


def check_name(name: str) -> None:
    """Raise :class:`InputError` unless ``name`` can be a part of a version's id."""
    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' cannot name a model: expected at most 61 letters, digits, '-' and '_'")


def free_id(versions: Path, name: str) -> str:
    """Return an id for ``name`` that sorts after all others in ``versions``.

    It begins with the time in milliseconds; if that is taken, this waits for the next one.
    """
    newest = max((entry.name for entry in versions.iterdir() if not entry.name.startswith(".")), default="")
    while True:
        now = datetime.now(UTC)
        stamp = f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03}Z"
        if stamp > newest[: len(stamp)]:
            return f"{stamp}-{name}"
        if newest[: len(stamp)] > f"{now.year + 1}":
            raise InputError(f"{versions / newest} has a time in the future: set the clock, or rename it")
        time.sleep(0.001)
