"""Recovery at the start of the daemon: closing the recordings that a killed daemon left open."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from service.recording.sidecar import EndReason, Sidecar, utc_text
from service.recording.store import find_sidecar, list_files, recorded_device, sidecar_path, stem_time
from stinger.errors import FileError, StingerError
from stinger.files import StrPath, os_errors, write_bytes
from stinger.recording import split_recordings
from stinger.sample import SAMPLE_BYTES, SAMPLE_DTYPE


@dataclass(frozen=True, slots=True)
class Recovery:
    """The result of a recovery."""

    closed: int = 0
    """Number of recordings that were open, and are closed now."""
    samples: int = 0
    """Number of samples in them."""
    torn_bytes: int = 0
    """Number of bytes cut off from incomplete last records."""
    removed: int = 0
    """Number of recordings without a sample, which were deleted."""
    problems: tuple[str, ...] = ()
    """One line for each folder or file that could not be recovered; it is left as it is."""


def recover(recordings: StrPath) -> Recovery:
    """Close every recording below the folder ``recordings`` whose sidecar is missing or marks it as open.

    An incomplete last record is cut off. Call this before a recorder uses the folder. Files that cannot be
    recovered are listed in the result.
    """
    files = list_files(recordings)
    problems = list(files.problems)
    for path in files.unfinished_sidecars:
        try:
            with os_errors(path):
                path.unlink(missing_ok=True)
        except FileError as error:
            problems.append(str(error))
    found = Recovery()
    for path in files.recordings:
        try:
            found = _recover(path, found)
        except StingerError as error:
            problems.append(str(error))
    return replace(found, problems=tuple(problems))


def _recover(path: Path, found: Recovery) -> Recovery:
    """Close the recording ``path`` if it is open; return ``found``, updated. Raises :class:`FileError`."""
    sidecar = find_sidecar(path) or _sidecar_from_name(path)
    if sidecar.closed:
        return found
    with os_errors(path):
        size = path.stat().st_size
        torn = size % SAMPLE_BYTES
        if torn:
            os.truncate(path, size - torn)
        if size == torn and not sidecar.notes:
            path.unlink()
            sidecar_path(path).unlink(missing_ok=True)
            return replace(found, removed=found.removed + 1, torn_bytes=found.torn_bytes + torn)
        samples = np.fromfile(path, dtype=SAMPLE_DTYPE)
    gaps = sum(len(recording.gaps()) for recording in split_recordings(samples))
    sidecar = replace(sidecar, samples=len(samples), gaps=gaps, closed=True, end=EndReason.RECOVERED)
    write_bytes(sidecar_path(path), sidecar.to_json())
    return replace(
        found,
        closed=found.closed + 1,
        samples=found.samples + len(samples),
        torn_bytes=found.torn_bytes + torn,
    )


def _sidecar_from_name(path: Path) -> Sidecar:
    """Return a sidecar made from the names of a recording and its folder. Raises :class:`FileError`."""
    started = stem_time(path.stem)
    if started is None:
        raise FileError(path, "has a name that is not a time, and no sidecar")
    return Sidecar(device=recorded_device(path.parent), started=utc_text(started.timestamp()))
