"""Change the marks of a recording.

Marks say what to leave out of training and evaluation, and which trigger edges were no shots.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from service.recording.sidecar import Sidecar
from service.recording.sidecar_lock import sidecar_lock
from service.recording.store import find_sidecar, recorded_device
from stinger.errors import FileError, InputError
from stinger.files import os_errors, read_bytes, write_bytes
from stinger.logs.marked import SIDECAR_MAX_BYTES, sidecar_path
from stinger.marks import Marks, trimmed
from stinger.paths import recordings_dir
from stinger.recording import Recording
from stinger.recording_name import STEM, stem_time
from stinger.sample import SAMPLE_BYTES
from stinger.shots import find_shots
from stinger.utc import utc_text

EDGE_WITHIN_MS: Final = 500
"""A time that a person types belongs to the nearest trigger edge, if that is not further away."""
_STORE: Final = recordings_dir("").name
_WRITTEN_WITHIN_S: Final = 10.0
"""A recording that has no sidecar of the daemon, and was not written to for so long, was copied here by a person."""


def change_marks(recording: Path, position: int, change: Callable[[Marks], Marks]) -> Marks:
    """Apply ``change`` to the marks of the recording at ``position`` in the file ``recording``; return the new ones.

    They are written into its sidecar, which is created if it is missing, also while the daemon writes the recording. A
    recording that had no sidecar and that nobody writes to is also marked as closed: a daemon would do that only when
    it starts next. Raises :class:`FileError` for a recording that does not exist, and for a sidecar that is damaged or
    cannot be written, and :class:`InputError` for marks that cannot be.
    """
    path = sidecar_path(recording)
    with _lock(recording):
        with os_errors(recording):
            size = recording.stat().st_size
        sidecar = find_sidecar(recording) if _is_stored(recording) else _sidecar_of_log(recording)
        if sidecar is None:
            sidecar = _new_sidecar(recording, size)
        # A daemon creates the sidecar together with the recording, and knows the time at which the clock was 0.
        if not sidecar.closed and sidecar.clock_zero_ms is None and not _is_being_written(recording):
            sidecar = replace(sidecar, closed=True, samples=size // SAMPLE_BYTES)
        marks = [*sidecar.marks, *(Marks() for _ in range(position + 1 - len(sidecar.marks)))]
        marks[position] = change(marks[position])
        write_bytes(path, replace(sidecar, marks=trimmed(marks)).to_json())
    return marks[position]


def nearest_edge_ms(recording: Recording, time_ms: int) -> int:
    """Return the time of the trigger edge of ``recording`` nearest to ``time_ms``, both after the first sample.

    Raises :class:`InputError` if there is none close by.
    """
    edges = find_shots(recording).time_ms - recording.time_ms[0]
    if not edges.size:
        raise InputError("the trigger is never pulled in this recording, so there is nothing that looks like a shot")
    nearest = int(edges[np.abs(edges - time_ms).argmin()])
    if abs(nearest - time_ms) > EDGE_WITHIN_MS:
        raise InputError(
            f"no trigger edge within {EDGE_WITHIN_MS / 1000:g} s of {time_ms / 1000:g} s: the nearest is at {nearest / 1000:g} s"
        )
    return nearest


def _is_stored(recording: Path) -> bool:
    """Return whether ``recording`` is in a store, where a daemon may write its sidecar.

    Any other file is a log of a person.
    """
    folder = recording.absolute().parents
    return STEM.fullmatch(recording.stem) is not None and len(folder) > 1 and folder[1].name == _STORE


def _lock(recording: Path) -> AbstractContextManager[None]:
    return sidecar_lock(recording) if _is_stored(recording) else nullcontext()


def _sidecar_of_log(log: Path) -> Sidecar | None:
    """Return the sidecar of a log that is in no store.

    Refuse to replace another JSON file that happens to have its name.
    """
    try:
        return find_sidecar(log)
    except FileError as error:
        path = sidecar_path(log)
        if b'"device"' in read_bytes(path, at_most=SIDECAR_MAX_BYTES):
            raise
        raise FileError(
            path, "is another file, where the marks of the log beside it belong: rename one of them"
        ) from error


def _new_sidecar(recording: Path, size: int) -> Sidecar:
    """Return a sidecar for a file that has none, because it was copied here, or because its recording has just begun."""
    started = stem_time(recording.stem)
    with os_errors(recording):
        started_s = recording.stat().st_mtime if started is None else started.timestamp()
    return Sidecar(
        device=recorded_device(recording.parent),
        started=utc_text(started_s),
        samples=size // SAMPLE_BYTES if recording.suffix == ".bin" else 0,
        closed=not _is_stored(recording),
    )


def _is_being_written(recording: Path) -> bool:
    """Return whether ``recording`` was written to a moment ago, or in the future by this clock."""
    with os_errors(recording):
        return time.time() - recording.stat().st_mtime < _WRITTEN_WITHIN_S
