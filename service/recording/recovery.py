"""Recovery of the recordings that a killed daemon left open.

Each is read, and closed after its last events were found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from service.recording.sidecar import EndReason, Sidecar
from service.recording.sidecar_lock import sidecar_lock
from service.recording.store import StoredFiles, find_sidecar, list_files, recorded_device
from stinger.errors import FileError, StingerError
from stinger.files import StrPath, os_errors, read_bytes, write_bytes
from stinger.logs.marked import read_marks, sidecar_path
from stinger.logs.records import TORN_ZEROS
from stinger.recording import split_recordings
from stinger.recording_name import stem_time
from stinger.sample import SAMPLE_BYTES, SAMPLE_DTYPE, SampleArray
from stinger.utc import utc_text


@dataclass(frozen=True, slots=True)
class Recovery:
    """The result of a recovery."""

    closed: int = 0
    """Number of recordings that were open, and are closed now."""
    samples: int = 0
    """Number of samples in them."""
    torn_bytes: int = 0
    """Number of bytes cut off from their ends: incomplete last records, and zeros that a power cut left."""
    removed: int = 0
    """Number of recordings without a sample, which were deleted."""
    problems: tuple[str, ...] = ()
    """One line for each folder or file that could not be recovered; it is left as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenRecording:
    """A recording that a killed daemon left open. :meth:`close` completes it on the disk."""

    path: Path
    sidecar: Sidecar
    """As it was, or made from the names of the recording and its folder."""
    samples: SampleArray
    """``(n,)``: its whole records."""
    torn_bytes: int
    """Number of bytes after them that are to be cut off."""

    @property
    def clock_zero_ms(self) -> int:
        """Unix time in ms at which its device's clock was 0: see :class:`service.base.source.Block`."""
        if self.sidecar.clock_zero_ms is not None:
            return self.sidecar.clock_zero_ms
        # The sidecar may be missing where the boot had just begun: with the first sample of the file.
        started = stem_time(self.path.stem)
        started_ms = 0 if started is None else round(started.timestamp() * 1000)
        return started_ms - int(self.samples["timestamp_ms"][0])

    def close(self) -> Recovery:
        """Cut off what is torn and write the closed sidecar; delete a recording without samples and notes.

        Raises :class:`FileError`.
        """
        count = self.samples.size
        with os_errors(self.path):
            if self.torn_bytes:
                os.truncate(self.path, count * SAMPLE_BYTES)
            if not count and not self.sidecar.notes:
                self.path.unlink()
                sidecar_path(self.path).unlink(missing_ok=True)
                return Recovery(removed=1, torn_bytes=self.torn_bytes)
        gaps = sum(len(recording.gaps()) for recording in split_recordings(self.samples))
        zero_ms = self.clock_zero_ms if count else self.sidecar.clock_zero_ms
        closed = replace(
            self.sidecar, clock_zero_ms=zero_ms, samples=count, gaps=gaps, closed=True, end=EndReason.RECOVERED
        )
        with sidecar_lock(self.path):
            # Something may have been marked since the sidecar was read.
            marks = read_marks(sidecar_path(self.path))
            write_bytes(sidecar_path(self.path), replace(closed, marks=marks).to_json())
        return Recovery(closed=1, samples=count, torn_bytes=self.torn_bytes)


def recover(recordings: StrPath) -> Recovery:
    """Close every recording below the folder ``recordings`` whose sidecar is missing or marks it as open.

    Call this while no recorder uses the folder. Files that cannot be recovered are listed in the result.
    """
    files = list_files(recordings)
    found = Recovery(problems=files.problems)
    for result in open_recordings(files):
        found = merged(found, result if isinstance(result, Recovery) else close(result))
    return found


def open_recordings(files: StoredFiles) -> Iterator[OpenRecording | Recovery]:
    """Examine each recording of ``files``, the newest first; yield those that are open.

    For every other one an empty result is yielded, or one with the problem that kept it from being read.
    ``files`` must have been listed before a recorder uses the folder: its new recordings are open as well. Sidecars
    that were written in part are deleted first.
    """
    for path in files.unfinished_sidecars:
        try:
            with os_errors(path):
                path.unlink(missing_ok=True)
        except FileError as error:
            yield Recovery(problems=(str(error),))
    for path in sorted(files.recordings, key=lambda path: path.name, reverse=True):
        try:
            opened = _read_if_open(path)
        except StingerError as error:
            yield Recovery(problems=(str(error),))
        else:
            yield Recovery() if opened is None else opened


def close(opened: OpenRecording) -> Recovery:
    """Close ``opened`` as :meth:`OpenRecording.close` does; a failure becomes a problem in the result."""
    try:
        return opened.close()
    except StingerError as error:
        return Recovery(problems=(str(error),))


def merged(first: Recovery, second: Recovery) -> Recovery:
    """Return the sums of two results."""
    return Recovery(
        closed=first.closed + second.closed,
        samples=first.samples + second.samples,
        torn_bytes=first.torn_bytes + second.torn_bytes,
        removed=first.removed + second.removed,
        problems=first.problems + second.problems,
    )


def _read_if_open(path: Path) -> OpenRecording | None:
    """Read the recording ``path`` if it is open. Raises :class:`FileError`."""
    sidecar = find_sidecar(path) or _sidecar_from_name(path)
    if sidecar.closed:
        return None
    data = read_bytes(path)
    size = _intact_bytes(data)
    samples = np.frombuffer(data, dtype=SAMPLE_DTYPE, count=size // SAMPLE_BYTES)
    return OpenRecording(path, sidecar, samples, len(data) - size)


def _intact_bytes(data: bytes) -> int:
    """Return the size of the whole records in ``data``, without the records of zeros that a power cut leaves at the end."""
    end = -(-len(data.rstrip(b"\0")) // SAMPLE_BYTES) * SAMPLE_BYTES
    if len(data) - end < SAMPLE_BYTES:
        return len(data) - len(data) % SAMPLE_BYTES
    # A record in front of the zeros that ends with zeros itself was written in part only.
    torn = end and not any(data[end - TORN_ZEROS : end])
    return end - SAMPLE_BYTES if torn else end


def _sidecar_from_name(path: Path) -> Sidecar:
    """Return a sidecar made from the names of a recording and its folder. Raises :class:`FileError`."""
    started = stem_time(path.stem)
    if started is None:
        raise FileError(path, "has a name that is not a time, and no sidecar")
    return Sidecar(device=recorded_device(path.parent), started=utc_text(started.timestamp()))
