"""The recordings that are on the disk: how large, how old, whether something still writes to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.recording.sidecar import (
    RECORDING_ENDING,
    SIDECAR_ENDING,
    STEM,
    read_sidecar,
    recorded_device,
    sidecar_path,
)
from stinger.errors import FileError
from stinger.files import StrPath, os_errors


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """One recording. ``path`` is that of its ``.bin``; ``bytes`` counts its sidecar as well."""

    path: Path
    bytes: int
    ended_s: float
    """When the file was last written to, Unix time."""
    closed: bool
    """False while samples may still be added, and where that cannot be told."""
    newest: bool
    """No other recording of its device that holds a sample was written to later."""

    @property
    def device(self) -> str:
        """Whose samples it holds."""
        return recorded_device(self.path.parent)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is below the folder of recordings."""

    recordings: tuple[StoredRecording, ...]
    """The one that was written to longest ago comes first."""
    orphans: tuple[Path, ...]
    """Sidecars whose recording is gone."""
    problems: tuple[str, ...]
    """One line for each folder or file that could not be looked at."""

    @property
    def bytes(self) -> int:
        """What all recordings take."""
        return sum(recording.bytes for recording in self.recordings)


def stored_recordings(folder: StrPath) -> Stored:
    """What is in ``folder`` (that of all devices), which need not exist. Never raises for what is found there."""
    recordings: list[StoredRecording] = []
    orphans: list[Path] = []
    problems: list[str] = []
    for device in _folders(Path(folder), problems):
        try:
            with os_errors(device):
                paths = sorted(path for path in device.iterdir() if STEM.fullmatch(path.stem))
        except FileError as error:
            problems.append(str(error))
            continue
        recordings += _of_device([path for path in paths if path.suffix == RECORDING_ENDING], problems)
        orphans += [
            path
            for path in paths
            # A recording is there before its sidecar: looked for now, not in the list, which may be older.
            if path.suffix == SIDECAR_ENDING and not path.with_suffix(RECORDING_ENDING).exists()
        ]
    recordings.sort(key=lambda recording: (recording.ended_s, recording.path))
    return Stored(tuple(recordings), tuple(orphans), tuple(problems))


def _folders(folder: Path, problems: list[str]) -> Iterator[Path]:
    try:
        with os_errors(folder):
            yield from sorted(entry for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else ()
    except FileError as error:
        problems.append(str(error))


def _of_device(paths: list[Path], problems: list[str]) -> list[StoredRecording]:
    sizes: list[tuple[float, Path, int, bool]] = []
    for path in paths:
        try:
            with os_errors(path):
                status = path.stat()
                sidecar = sidecar_path(path)
                # None yet: the recording has just begun, or a killed daemon left it so; its next start closes it.
                closed = sidecar.exists() and sidecar.stat().st_size > 0 and read_sidecar(sidecar).closed
        except FileError as error:
            if isinstance(error.__cause__, FileNotFoundError):  # deleted meanwhile
                continue
            problems.append(str(error))
            closed = False
        sizes.append((status.st_mtime, path, status.st_size, closed))
    newest = max(((ended_s, path) for ended_s, path, size, _ in sizes if size), default=None)
    return [
        StoredRecording(path, size + _size(sidecar_path(path)), ended_s, closed, (ended_s, path) == newest)
        for ended_s, path, size, closed in sizes
    ]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
