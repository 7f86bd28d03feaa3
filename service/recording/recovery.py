"""What a killed daemon left: recordings still open in their sidecars, put in order at the next start."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from service.recording.sidecar import (
    RECORDING_ENDING,
    STEM,
    Sidecar,
    read_sidecar,
    recorded_device,
    sidecar_path,
    utc_text,
)
from stinger.errors import FileError, StingerError
from stinger.files import StrPath, os_errors, write_bytes
from stinger.recording import split_recordings
from stinger.sample import SAMPLE_BYTES, SAMPLE_DTYPE

_ASIDE: Final = re.compile(r"\..+\.json\.[0-9a-f]+\.tmp")


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found and done."""

    closed: int = 0
    """Recordings that had not been closed, and are now."""
    samples: int = 0
    """Held by them."""
    torn_bytes: int = 0
    """Cut off the ends of recordings, where a last record was not whole."""
    removed: int = 0
    """Recordings without a single sample, deleted."""
    problems: tuple[str, ...] = ()
    """One line for each file that could not be put in order; it is left as it is."""


def recover(recordings: StrPath) -> Recovery:
    """Close every recording below the folder ``recordings`` that is still open in its sidecar or has none.

    A torn last record is cut off. To be called before a recorder writes there. Never raises for what it finds on the disk.
    """
    found = Recovery()
    folder = Path(recordings)
    try:
        devices = sorted(entry for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
    except OSError as error:
        return Recovery(problems=(f"{folder}: {error.strerror or error}",))
    for device in devices:
        try:
            with os_errors(device):
                entries = sorted(device.iterdir())
            _sweep(entries)
        except FileError as error:
            found = replace(found, problems=(*found.problems, str(error)))
            continue
        for path in entries:
            if path.suffix == RECORDING_ENDING and STEM.fullmatch(path.stem):
                try:
                    found = _put_in_order(path, found)
                except StingerError as error:
                    found = replace(found, problems=(*found.problems, str(error)))
    return found


def _put_in_order(path: Path, found: Recovery) -> Recovery:
    described = _sidecar_of(path)
    if described.closed:
        return found
    with os_errors(path):
        size = path.stat().st_size
        torn = size % SAMPLE_BYTES
        if torn:
            os.truncate(path, size - torn)
        if size == torn and not described.notes:
            path.unlink()
            sidecar_path(path).unlink(missing_ok=True)
            return replace(found, removed=found.removed + 1, torn_bytes=found.torn_bytes + torn)
        samples = np.fromfile(path, dtype=SAMPLE_DTYPE)
    gaps = sum(len(recording.gaps()) for recording in split_recordings(samples))
    described = replace(described, samples=len(samples), gaps=gaps, closed=True, end="recovered")
    write_bytes(sidecar_path(path), described.to_json())
    return replace(
        found,
        closed=found.closed + 1,
        samples=found.samples + len(samples),
        torn_bytes=found.torn_bytes + torn,
    )


def _sidecar_of(path: Path) -> Sidecar:
    """Its sidecar, or one made of its name where there is none. Raises :class:`FileError` for one not understood."""
    sidecar = sidecar_path(path)
    with os_errors(sidecar):
        if sidecar.exists() and sidecar.stat().st_size:
            return read_sidecar(sidecar)
    moment = datetime.strptime(path.stem.partition("_")[0], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    return Sidecar(device=recorded_device(path.parent), started=utc_text(moment.timestamp()))


def _sweep(entries: list[Path]) -> None:
    """Remove sidecars that were being written."""
    for path in entries:
        if _ASIDE.fullmatch(path.name):
            with os_errors(path):
                path.unlink(missing_ok=True)
