"""How long recordings are kept: old ones go when they are too old or too many, but never what is still needed."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.model_references import ModelReferences, ReferencedData
from models.registry import Registry
from service.config.config import RecorderConfig
from service.recording.sidecar import STEM, sidecar_path
from service.recording.store import Stored, StoredRecording, stored_recordings
from stinger.errors import StingerError
from stinger.files import os_errors
from stinger.quantities import seconds, size_bytes
from stinger.sample import SAMPLE_BYTES, SAMPLE_RATE_HZ

_PART_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be deleted. With neither ``keep_s`` nor ``keep_bytes`` nothing is."""

    keep_s: float | None = None
    """A recording that was last written to longer ago goes."""
    keep_bytes: int | None = None
    """While all recordings take more, the oldest goes."""
    keep_trained: bool = True
    """A recording that a kept model names stays."""


def limits_of(config: RecorderConfig) -> Limits:
    """The limits that ``config`` sets."""
    return Limits(
        keep_s=None if config.keep is None else seconds(config.keep),
        keep_bytes=None if config.keep_size is None else size_bytes(config.keep_size),
        keep_trained=config.keep_trained,
    )


@dataclass(frozen=True, slots=True)
class Pruned:
    """What came of it."""

    deleted: tuple[StoredRecording, ...] = ()
    spared: tuple[StoredRecording, ...] = ()
    """Would have gone, had no model named them."""
    left: int = 0
    """Recordings that are still there, and the bytes that they take."""
    left_bytes: int = 0
    problems: tuple[str, ...] = ()
    """One line each."""

    @property
    def deleted_bytes(self) -> int:
        """What the deleted ones took."""
        return sum(recording.bytes for recording in self.deleted)


class Retention:
    """Prunes the folder ``recordings``; what the models of ``registry`` name is looked up once for each of them.

    The newest recording of a device, and one that is not closed, never goes. May be called from any thread, by one at a
    time; another process may record or prune there meanwhile.
    """

    def __init__(self, recordings: Path, registry: Registry) -> None:
        self._folder = recordings
        self._models = ModelReferences(registry)
        self._hashes: dict[tuple[Path, float, int], str] = {}
        self._ending = threading.Event()

    def end(self) -> None:
        """Have a :meth:`prune` that runs in another thread return soon."""
        self._ending.set()

    def prune(self, limits: Limits, *, dry_run: bool = False, now_s: float | None = None) -> Pruned:
        """Delete what ``limits`` do not keep, the oldest first; in a ``dry_run`` only say what would go.

        Whatever moment this is killed at, a recording is there with its sidecar or the next call removes the sidecar.
        Never raises for what is found on the disk.
        """
        stored = stored_recordings(self._folder)
        if limits.keep_s is None and limits.keep_bytes is None:
            return Pruned(left=len(stored.recordings), left_bytes=stored.bytes)
        problems = list(stored.problems)
        named = ReferencedData()
        if limits.keep_trained:
            try:
                named = self._models.named()
            except StingerError as error:
                # Nothing is known of what that model names, so nothing may go.
                problems.append(f"{error}: no recording is deleted until this model can be read, or is removed")
                return Pruned(left=len(stored.recordings), left_bytes=stored.bytes, problems=tuple(problems))
        doomed, spared = self._choose(stored, limits, named, time.time() if now_s is None else now_s, problems)
        deleted = []
        for recording in doomed:
            if self._ending.is_set():
                break
            if dry_run or _gone(recording.path, problems):
                deleted.append(recording)
        for orphan in () if dry_run else stored.orphans:
            _unlink(orphan, problems)
        return Pruned(
            deleted=tuple(deleted),
            spared=tuple(spared),
            left=len(stored.recordings) - len(deleted),
            left_bytes=stored.bytes - sum(recording.bytes for recording in deleted),
            problems=tuple(problems),
        )

    def _choose(
        self, stored: Stored, limits: Limits, named: ReferencedData, now_s: float, problems: list[str]
    ) -> tuple[list[StoredRecording], list[StoredRecording]]:
        doomed: list[StoredRecording] = []
        spared: list[StoredRecording] = []
        total = stored.bytes
        stems = frozenset(match[0] for text in named.texts for match in STEM.finditer(text))
        for recording in stored.recordings:
            too_old = limits.keep_s is not None and now_s - recording.ended_s > limits.keep_s
            too_much = limits.keep_bytes is not None and total > limits.keep_bytes
            if self._ending.is_set() or not (too_old or too_much):
                break  # all further ones are younger
            if recording.newest or not recording.closed:
                continue
            try:
                wanted = self._is_named(recording, stems, named.hashes)
            except StingerError as error:
                problems.append(str(error))
                continue
            if wanted:
                spared.append(recording)
            else:
                doomed.append(recording)
                total -= recording.bytes
        return doomed, spared

    def _is_named(self, recording: StoredRecording, stems: frozenset[str], hashes: frozenset[str]) -> bool:
        if recording.path.stem in stems:
            return True
        # A model may have learnt from a recording that has grown since: it began as it does now.
        return bool(hashes) and (_beginning(recording) in hashes or self._sha256(recording) in hashes)

    def _sha256(self, recording: StoredRecording) -> str:
        """The hash of a closed recording, taken once. Raises :class:`FileError`; wrong, but of no use, when ending."""
        key = recording.path, recording.ended_s, recording.bytes
        if key not in self._hashes:
            digest = hashlib.sha256()
            with os_errors(recording.path), recording.path.open("rb", buffering=0) as file:
                while part := file.read(_PART_BYTES):
                    digest.update(part)
                    if self._ending.is_set():
                        return ""
            self._hashes[key] = digest.hexdigest()
        return self._hashes[key]


def _beginning(recording: StoredRecording) -> str:
    """The hash of its first second of samples. Raises :class:`FileError`."""
    with os_errors(recording.path), recording.path.open("rb") as file:
        return hashlib.sha256(file.read(SAMPLE_RATE_HZ * SAMPLE_BYTES)).hexdigest()


def _gone(recording: Path, problems: list[str]) -> bool:
    # The sidecar last: a recording without one would be taken for one that a killed daemon left, and be closed anew.
    return _unlink(recording, problems) and _unlink(sidecar_path(recording), problems)


def _unlink(path: Path, problems: list[str]) -> bool:
    try:
        with os_errors(path):
            path.unlink(missing_ok=True)
    except StingerError as error:
        problems.append(str(error))
        return False
    return True
