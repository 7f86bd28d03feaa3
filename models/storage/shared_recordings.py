"""The recordings that daemons have uploaded to a folder in shared storage.

Below it each daemon has a folder, with a folder for each of its devices::

    <daemon>/<device>/20260131T170203.456Z.bin     17-byte sample records and nothing else
    <daemon>/<device>/20260131T170203.456Z.json    its sidecar, uploaded after it

A recording without a sidecar is still being uploaded, or its daemon ended meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from models.storage.cache import DownloadCache
from models.storage.folder import StorageFolder, StoredObject
from models.task_runner import ProgressBar
from stinger.device_name import device_of_folder
from stinger.errors import FileError
from stinger.files import read_bytes
from stinger.logs.marked import SIDECAR_MAX_BYTES
from stinger.recording_name import RECORDING_SUFFIX, SIDECAR_SUFFIX, STEM
from stinger.sample import SAMPLE_BYTES
from stinger.wording import counted


@dataclass(frozen=True, slots=True)
class SharedRecording:
    """One recording in shared storage."""

    samples: StoredObject
    sidecar: StoredObject

    @property
    def stem(self) -> str:
        """Its name without suffix, which begins with the time."""
        return PurePosixPath(self.samples.name).stem

    @property
    def device(self) -> str:
        """The device that it is of; the name of its folder if no device has such a folder."""
        folder = PurePosixPath(self.samples.name).parent.name
        return device_of_folder(folder) or folder

    @property
    def daemon(self) -> str:
        """The id of the daemon that uploaded it; empty if its path does not say."""
        return PurePosixPath(self.samples.name).parent.parent.name


@dataclass(frozen=True, slots=True)
class SharedFiles:
    """The files in a folder of shared storage."""

    recordings: tuple[SharedRecording, ...]
    """Complete recordings of daemons, sorted by path."""
    logs: tuple[StoredObject, ...]
    """Other files: those that a person has put there."""
    incomplete: int = 0
    """Number of recordings without a sidecar."""

    def warnings(self) -> tuple[str, ...]:
        """Return a line if recordings are left out."""
        if not self.incomplete:
            return ()
        return (f"left out: {counted(self.incomplete, 'recording')} that are not completely uploaded",)


def list_shared_files(folder: StorageFolder) -> SharedFiles:
    """List what is below ``folder``."""
    objects = {one.name: one for one in folder.list()}
    recordings, logs, incomplete = [], [], 0
    for name, one in objects.items():
        path = PurePosixPath(name)
        if not STEM.fullmatch(path.stem) or path.suffix not in (RECORDING_SUFFIX, SIDECAR_SUFFIX):
            logs.append(one)
        elif path.suffix == RECORDING_SUFFIX:
            sidecar = objects.get(str(path.with_suffix(SIDECAR_SUFFIX)))
            if sidecar is None:
                incomplete += 1
            else:
                recordings.append(SharedRecording(one, sidecar))
    return SharedFiles(tuple(recordings), tuple(logs), incomplete)


def fetch_recordings(
    folder: StorageFolder, recordings: Sequence[SharedRecording], bar: ProgressBar, cache: DownloadCache | None = None
) -> list[Path]:
    """Return local copies of ``recordings`` in ``folder``, each with its sidecar beside it.

    Raises :class:`FileError` for a recording that has fewer samples than its sidecar says: it was written in part.
    """
    objects = [one for recording in recordings for one in (recording.sidecar, recording.samples)]
    paths = (cache or DownloadCache()).fetch(folder, objects, bar)
    for recording, sidecar in zip(recordings, paths[::2], strict=True):
        expected = _expected_bytes(sidecar)
        if recording.samples.size < expected:
            raise FileError(
                (folder.url / recording.samples.name).text,
                f"has {recording.samples.size:,} of {expected:,} bytes: it was written in part; delete it and its sidecar",
            )
    return paths[1::2]


def _expected_bytes(sidecar: Path) -> int:
    """Return the size of the recording that the file ``sidecar`` describes; 0 if it cannot be read: others report that."""
    try:
        values: Any = json.loads(read_bytes(sidecar, at_most=SIDECAR_MAX_BYTES))
        return int(values["samples"]) * SAMPLE_BYTES
    except (ValueError, TypeError, KeyError, RecursionError, FileError):
        return 0
