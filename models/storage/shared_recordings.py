"""The recordings that daemons have uploaded to a folder in shared storage.

Below it each daemon has a folder, with a folder for each of its devices::

    <daemon>/<device>/20260131T170203.456Z.bin     17-byte sample records and nothing else
    <daemon>/<device>/20260131T170203.456Z.json    its sidecar, uploaded after it

A recording without a sidecar is still being uploaded, or its daemon ended meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
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
        """The id of the daemon that uploaded it; empty if its path has none."""
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
        return (f"left out: {counted(self.incomplete, 'recording')}, not yet completely uploaded",)


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
    folder: StorageFolder,
    recordings: Sequence[SharedRecording],
    bar: ProgressBar,
    warn: Callable[[str], object],
    cache: DownloadCache | None = None,
) -> dict[Path, SharedRecording]:
    """Return ``recordings`` in ``folder`` by their local copies, which have copies of their sidecars beside them.

    One that was written in part is left out, and ``warn`` is called with a line about it.
    """
    objects = [one for recording in recordings for one in (recording.sidecar, recording.samples)]
    paths = (cache or DownloadCache()).fetch(folder, objects, bar)
    fetched = {}
    for recording, path in zip(recordings, paths[1::2], strict=True):
        problem = written_in_part(path)
        if problem:
            warn(f"left out: {folder.url / recording.samples.name}: {problem}")
        else:
            fetched[path] = recording
    return fetched


def written_in_part(copy: Path) -> str:
    """Return the problem of a recording with fewer samples than its sidecar states; empty if there is none."""
    try:
        values: Any = json.loads(read_bytes(copy.with_suffix(SIDECAR_SUFFIX), at_most=SIDECAR_MAX_BYTES))
        expected, size = int(values["samples"]) * SAMPLE_BYTES, copy.stat().st_size
    except (
        ValueError,
        OverflowError,  # an infinite number
        TypeError,
        KeyError,
        RecursionError,
        FileError,  # such as a damaged sidecar, which is reported when it is used
    ):
        return ""
    if size >= expected:
        return ""
    return f"was written in part, {size:,} of {expected:,} bytes: delete it and its sidecar there"
