"""The store of recordings on disk: the names of its folders and files, and listing what is in it.

Below the folder ``recordings`` of the data folder, each device has a folder, and each recording two files in it::

    recordings/<device>/20260131T170203.456Z.bin     17-byte sample records and nothing else
    recordings/<device>/20260131T170203.456Z.json    its sidecar

Files with other names are ignored. Listing never raises because of them: each folder or file that cannot be read is
one line in ``problems``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.recording.sidecar import Sidecar, read_sidecar
from stinger.device_name import DeviceName, device_of_folder, folder_of_device
from stinger.errors import FileError
from stinger.files import StrPath, os_errors
from stinger.logs.marked import sidecar_path
from stinger.recording_name import RECORDING_SUFFIX, SIDECAR_SUFFIX, STEM, recording_stem

LITTLE_ROOM_BYTES: Final = 1_000_000_000
"""With fewer free bytes, the disk is about to fill up, as for the alert StingerDiskFilling."""
_UNFINISHED_SIDECAR: Final = re.compile(r"\..+\.json\.[0-9a-f]+\.tmp")
_MAX_SAME_TIME: Final = 1000
_END_OF_9999_S: Final = 253_402_300_799


def device_folder(recordings: Path, device: DeviceName) -> Path:
    """Return the folder for the recordings of ``device``, directly within the folder ``recordings``."""
    return recordings / folder_of_device(device)


def recorded_device(folder: Path) -> str:
    """Return the device whose recordings are in ``folder``: the folder's own name if no device has such a folder."""
    return device_of_folder(folder.name) or folder.name


def storable_time(unix_s: float, default_s: float) -> float:
    """Return ``unix_s`` if names and sidecars can hold that time (1970 to 9999), else ``default_s``."""
    return unix_s if math.isfinite(unix_s) and 0 <= unix_s < _END_OF_9999_S else default_s


def recording_paths(folder: Path, started_s: float) -> Iterator[Path]:
    """Yield the paths that a recording that starts at ``started_s`` may have, the preferred one first.

    The others are for further recordings of the same device that start in the same millisecond.
    """
    stem = recording_stem(started_s)
    for number in range(1, _MAX_SAME_TIME):
        yield folder / f"{stem}{'' if number == 1 else f'_{number:03d}'}{RECORDING_SUFFIX}"


def find_sidecar(recording: Path) -> Sidecar | None:
    """Read the sidecar of ``recording``; return None if it is missing or empty.

    That is so when the recording has just begun, and after the daemon was killed; its next start writes the sidecar.
    Raises :class:`FileError` for a sidecar that cannot be read or is not valid.
    """
    path = sidecar_path(recording)
    with os_errors(path):
        if not path.exists() or not path.stat().st_size:
            return None
    return read_sidecar(path)


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """The files of a store, by kind, each kind sorted by device and time."""

    recordings: tuple[Path, ...]
    sidecars: tuple[Path, ...]
    unfinished_sidecars: tuple[Path, ...]
    """Temporary files, left where the process was killed while it wrote a sidecar."""
    problems: tuple[str, ...]
    """One line for each folder that could not be read."""


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """One recording on disk. ``path`` is its ``.bin`` file."""

    path: Path
    samples_bytes: int
    bytes: int
    """Its size together with its sidecar."""
    ended_s: float
    """When the file was last written to, Unix time."""
    sidecar: Sidecar | None
    """None if it is missing, empty or cannot be read."""
    newest: bool
    """Whether it is the last written one of its device's recordings that hold a sample."""

    @property
    def closed(self) -> bool:
        """Whether it is known that no more samples will be added."""
        return self.sidecar is not None and self.sidecar.closed

    @property
    def device(self) -> str:
        """The device whose samples it holds."""
        return recorded_device(self.path.parent) if self.sidecar is None else self.sidecar.device


@dataclass(frozen=True, slots=True)
class Store:
    """The recordings of a store, as they were when it was read."""

    recordings: tuple[StoredRecording, ...]
    """Sorted by the time of the last write, the oldest first."""
    orphans: tuple[Path, ...]
    """Sidecars without a recording, left where pruning was killed."""
    problems: tuple[str, ...]
    """One line for each folder or file that could not be read."""

    @property
    def bytes(self) -> int:
        """The size of all recordings and their sidecars."""
        return sum(recording.bytes for recording in self.recordings)


def list_files(recordings: StrPath) -> StoredFiles:
    """List the files below the folder ``recordings``, which need not exist, without opening them."""
    files: list[Path] = []
    unfinished: list[Path] = []
    problems: list[str] = []
    for folder in _device_folders(Path(recordings), problems):
        try:
            with os_errors(folder):
                entries = sorted(folder.iterdir())
        except FileError as error:
            problems.append(str(error))
            continue
        files += [path for path in entries if STEM.fullmatch(path.stem)]
        unfinished += [path for path in entries if _UNFINISHED_SIDECAR.fullmatch(path.name)]
    return StoredFiles(
        recordings=tuple(path for path in files if path.suffix == RECORDING_SUFFIX),
        sidecars=tuple(path for path in files if path.suffix == SIDECAR_SUFFIX),
        unfinished_sidecars=tuple(unfinished),
        problems=tuple(problems),
    )


def read_store(recordings: StrPath) -> Store:
    """Read the size, age and sidecar of every recording below the folder ``recordings``, which need not exist.

    Another process may record or delete there meanwhile.
    """
    files = list_files(recordings)
    problems = list(files.problems)
    found = [examined for path in files.recordings if (examined := _examine(path, problems)) is not None]
    newest: dict[Path, tuple[float, Path]] = {}
    for one in found:
        if one.samples_bytes:
            key = one.ended_s, one.path
            newest[one.path.parent] = max(newest.get(one.path.parent, key), key)
    stored = [
        StoredRecording(
            path=one.path,
            samples_bytes=one.samples_bytes,
            bytes=one.samples_bytes + _size(sidecar_path(one.path)),
            ended_s=one.ended_s,
            sidecar=one.sidecar,
            newest=newest.get(one.path.parent) == (one.ended_s, one.path),
        )
        for one in found
    ]
    stored.sort(key=lambda recording: (recording.ended_s, recording.path))
    orphans = tuple(path for path in files.sidecars if _is_orphan(path))
    return Store(tuple(stored), orphans, tuple(problems))


@dataclass(frozen=True, slots=True)
class _Examined:
    path: Path
    samples_bytes: int
    ended_s: float
    sidecar: Sidecar | None


def _device_folders(recordings: Path, problems: list[str]) -> list[Path]:
    try:
        with os_errors(recordings):
            return sorted(entry for entry in recordings.iterdir() if entry.is_dir()) if recordings.is_dir() else []
    except FileError as error:
        problems.append(str(error))
        return []


def _examine(path: Path, problems: list[str]) -> _Examined | None:
    """Read what is needed of one recording; return None if it was deleted meanwhile, or cannot be examined."""
    try:
        with os_errors(path):
            status = path.stat()
    except FileError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            problems.append(str(error))
        return None
    sidecar = None
    try:
        sidecar = find_sidecar(path)
    except FileError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        problems.append(str(error))
    return _Examined(path, status.st_size, status.st_mtime, sidecar)


def _is_orphan(sidecar: Path) -> bool:
    # A recording exists before its sidecar does: look again now, as the list may be older than both.
    try:
        return not sidecar.with_suffix(RECORDING_SUFFIX).exists()
    except OSError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
