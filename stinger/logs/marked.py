"""Read a log together with the marks that a person set: all training and evaluation reads logs by this.

The marks are in the sidecar, the JSON file beside a recording of the same name. A log that was copied to some place
without one has no marks, and a JSON file of that name that is no sidecar is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from stinger.errors import FileError
from stinger.files import StrPath, os_errors, read_bytes, write_bytes
from stinger.logs.log import Log, LogFormat
from stinger.logs.reading import CAPTURE_EVERY, CAPTURE_RATE_HZ, read_log
from stinger.marks import Marks, parse_file_marks
from stinger.recording_name import SIDECAR_SUFFIX

SIDECAR_MAX_BYTES: Final = 4_000_000
"""A sidecar is small: a larger file is something else, and reading it would waste memory."""
MARKS_KEY: Final = "marks"


def read_marked_log(path: StrPath, *, rate_hz: float = CAPTURE_RATE_HZ, every: int = CAPTURE_EVERY) -> Log:
    """Read a log as :func:`~stinger.logs.read_log` does, and the marks of its recordings.

    Raises :class:`FileError` also for a damaged sidecar: what it leaves out must not be used unnoticed.
    """
    return with_marks(read_log(path, rate_hz=rate_hz, every=every))


def with_marks(log: Log) -> Log:
    """Return ``log`` with the marks in its sidecar; a bundle has its own.

    Raises :class:`FileError` for a damaged sidecar.
    """
    sidecar = sidecar_path(log.path)
    if log.format is LogFormat.BUNDLE or sidecar == Path(log.path):
        return log
    return replace(log, marks=read_marks(sidecar))


def sidecar_path(path: StrPath) -> Path:
    """Return the path of the sidecar of the log ``path``."""
    return Path(path).with_suffix(SIDECAR_SUFFIX)


def read_marks(sidecar: StrPath) -> tuple[Marks, ...]:
    """Return the marks in a sidecar, one for each recording of the log; empty if it has none, is empty or missing.

    Raises :class:`FileError` for a sidecar that is damaged.
    """
    with os_errors(sidecar):
        if not Path(sidecar).exists() or not Path(sidecar).stat().st_size:
            return ()
    try:
        values = json.loads(read_bytes(sidecar, at_most=SIDECAR_MAX_BYTES))
    except FileError as error:
        raise FileError(sidecar, f"{error.problem}, so it is no sidecar of the log beside it: rename it") from error
    except (ValueError, RecursionError) as error:
        raise FileError(sidecar, f"is not JSON, so {_UNKNOWN}") from error
    if not isinstance(values, Mapping) or "schema" not in values or "device" not in values:
        return ()
    try:
        return parse_file_marks(values.get(MARKS_KEY, []))
    except ValueError as error:
        raise FileError(sidecar, f"{error}, so {_UNKNOWN}") from error


def copy_marks(log: Log, target: StrPath) -> None:
    """Write the sidecar of ``log``, with its marks, as that of ``target``, a file with the same samples.

    Does nothing if both have the same sidecar already. Raises :class:`FileError` if that is not possible: a bundle has
    no sidecar, and a JSON file beside ``target`` that is no sidecar is not replaced.
    """
    source, copy = sidecar_path(log.path), sidecar_path(target)
    if log.format is LogFormat.BUNDLE:
        raise FileError(target, "its format has no place for marks, and a bundle has no sidecar to copy")
    with os_errors(copy):
        if copy.exists() and copy.samefile(source):
            return
        if copy.exists() and not _is_sidecar(copy):
            raise FileError(copy, "is another file, where the marks belong: rename it")
    values = json.loads(read_bytes(source, at_most=SIDECAR_MAX_BYTES))
    values |= {"samples": len(log.samples), "closed": True}
    write_bytes(copy, json.dumps(values, indent=2).encode() + b"\n")


def _is_sidecar(path: Path) -> bool:
    try:
        values = json.loads(read_bytes(path, at_most=SIDECAR_MAX_BYTES))
    except (FileError, ValueError, RecursionError):
        return False
    return isinstance(values, Mapping) and "schema" in values and "device" in values


_UNKNOWN: Final = "what is left out of the log beside it is not known: repair, rename or delete it"
