"""Retention: deletes recordings that are too old or take too much room, but none that is still needed."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from models.model_references import ModelReferences, ReferencedData
from models.registry import Registry
from service.config.config import RecorderConfig
from service.recording.age_clock import AgeClock
from service.recording.store import Store, StoredRecording, read_store
from service.recording.upload_journal import UploadJournal, upload_name
from stinger.errors import StingerError
from stinger.files import open_regular, os_errors
from stinger.logs.marked import sidecar_path
from stinger.recording_name import STEM
from stinger.sample import SAMPLE_BYTES, SAMPLE_RATE_HZ

EARLIEST_S: Final = 1_577_836_800.0
"""2020-01-01: a recording dated before it was made while the clock was not set. It is never too old: its age is
unknown."""
_PART_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What to delete. With neither ``keep_s`` nor ``keep_bytes``, nothing is deleted."""

    keep_s: float | None = None
    """Delete a recording that was last written to longer ago than this."""
    keep_bytes: int | None = None
    """Delete the oldest recording while all of them take more than this."""
    keep_trained: bool = True
    """Keep every recording that a model in the registry refers to."""
    keep_not_uploaded: bool = True
    """Keep every recording that is not yet in shared storage, if recordings are uploaded there."""


def limits_of(config: RecorderConfig, *, disk_full: bool = False) -> Limits:
    """Return the limits that ``config`` sets. If the disk is full, recordings need not be uploaded to be deleted."""
    return Limits(
        keep_s=None if config.keep is None else config.keep.seconds,
        keep_bytes=None if config.keep_size is None else config.keep_size.bytes,
        keep_trained=config.keep_trained,
        keep_not_uploaded=not disk_full,
    )


@dataclass(frozen=True, slots=True)
class Pruned:
    """The result of pruning."""

    deleted: tuple[StoredRecording, ...] = ()
    kept_for_models: tuple[StoredRecording, ...] = ()
    """Beyond the limits, but kept because a model refers to them."""
    kept_for_upload: tuple[StoredRecording, ...] = ()
    """Beyond the limits, but kept because they are not yet uploaded to shared storage."""
    deleted_not_uploaded: int = 0
    """Number of recordings that were deleted although they are nowhere else."""
    left: int = 0
    """Number of recordings that are left."""
    left_bytes: int = 0
    """The size of the recordings that are left."""
    problems: tuple[str, ...] = ()
    """One line for each folder, file or model that could not be read, and each file that could not be deleted."""

    @property
    def deleted_bytes(self) -> int:
        """The size of the deleted recordings."""
        return sum(recording.bytes for recording in self.deleted)


class Retention:
    """Prunes the recordings below the folder ``recordings``.

    With ``clock``, none is deleted by age while it is not trusted.

    With ``uploads``, the journal of a daemon that uploads its recordings, those that it does not have are kept. It
    never deletes the newest recording of a device, nor one that may still be open. What each model of ``registry``
    refers to is read once. Methods may be called from any thread, :meth:`prune` from one at a time; other processes may
    record and prune there meanwhile.
    """

    def __init__(
        self,
        recordings: Path,
        registry: Registry,
        *,
        clock: AgeClock | None = None,
        uploads: UploadJournal | None = None,
    ) -> None:
        self._folder = recordings
        self._clock = clock
        self._uploads = uploads
        self._models = ModelReferences(registry)
        self._hashes: dict[tuple[Path, float, int], str] = {}
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let a :meth:`prune` that runs in another thread return soon."""
        self._stopping.set()

    def prune(self, limits: Limits, *, dry_run: bool = False, now_s: float | None = None) -> Pruned:
        """Delete what exceeds ``limits``, the oldest first; in a ``dry_run`` only report what would be deleted.

        If the process is killed at any moment, each recording either still has its sidecar or is gone, and the next
        call removes a sidecar that is left. Files that cannot be read or deleted are listed in the result.
        """
        store = read_store(self._folder)
        now_s = time.time() if now_s is None else now_s
        doubt = self._check_clock(store, now_s, save=not dry_run)
        if limits.keep_s is None and limits.keep_bytes is None:
            return Pruned(left=len(store.recordings), left_bytes=store.bytes)
        problems = list(store.problems)
        references = ReferencedData()
        if limits.keep_trained:
            try:
                references = self._models.read()
            except StingerError as error:
                # That model may refer to any recording, so none may be deleted.
                problems.append(f"{error}: no recording is deleted until this model can be read, or is removed")
                return Pruned(left=len(store.recordings), left_bytes=store.bytes, problems=tuple(problems))
        if doubt and any(_is_too_old(recording, limits, now_s) for recording in store.recordings):
            problems.append(doubt)
            limits = replace(limits, keep_s=None)
        self._read_uploads(problems)
        to_delete, kept, kept_for_upload = self._select(store, limits, references, now_s, problems)
        deleted: list[StoredRecording] = []
        for recording in to_delete:
            if self._stopping.is_set():
                break
            if dry_run or _delete(recording.path, problems):
                deleted.append(recording)
        for orphan in () if dry_run else store.orphans:
            _unlink(orphan, problems)
        return Pruned(
            deleted=tuple(deleted),
            kept_for_models=tuple(kept),
            kept_for_upload=tuple(kept_for_upload),
            deleted_not_uploaded=sum(not self._is_uploaded(recording) for recording in deleted),
            left=len(store.recordings) - len(deleted),
            left_bytes=store.bytes - sum(recording.bytes for recording in deleted),
            problems=tuple(problems),
        )

    def _check_clock(self, store: Store, now_s: float, *, save: bool) -> str:
        """Return why recordings must not be deleted by age at ``now_s``; empty if they may."""
        if self._clock is None:
            return ""
        # A recording dated in the future was made while the clock was wrong: it does not show which time is right.
        past_s = [recording.ended_s for recording in store.recordings if recording.ended_s <= now_s]
        return self._clock.check(now_s, max(past_s, default=None), save=save)

    def _select(
        self, store: Store, limits: Limits, references: ReferencedData, now_s: float, problems: list[str]
    ) -> tuple[list[StoredRecording], list[StoredRecording], list[StoredRecording]]:
        """Return the recordings to delete, and those that are kept only for a model, and only until they are uploaded."""
        to_delete: list[StoredRecording] = []
        kept: list[StoredRecording] = []
        kept_for_upload: list[StoredRecording] = []
        total = store.bytes
        stems = frozenset(match[0] for text in references.texts for match in STEM.finditer(text))
        for recording in store.recordings:
            too_much = limits.keep_bytes is not None and total > limits.keep_bytes
            too_old = _is_too_old(recording, limits, now_s)
            if self._stopping.is_set():
                break
            if not (too_old or too_much):
                if recording.ended_s < EARLIEST_S:
                    continue
                break  # all following ones are newer
            if recording.newest or not recording.closed:
                continue
            try:
                referenced = self._is_referenced(recording, stems, references.hashes)
            except StingerError as error:
                problems.append(str(error))
                continue
            if referenced:
                kept.append(recording)
            elif limits.keep_not_uploaded and not self._is_uploaded(recording):
                kept_for_upload.append(recording)
            else:
                to_delete.append(recording)
                total -= recording.bytes
        return to_delete, kept, kept_for_upload

    def _read_uploads(self, problems: list[str]) -> None:
        if self._uploads is not None:
            try:
                self._uploads.refresh()
            except StingerError as error:
                problems.append(str(error))

    def _is_uploaded(self, recording: StoredRecording) -> bool:
        """Return whether ``recording`` need not be kept for its upload: always so if recordings are not uploaded."""
        return self._uploads is None or self._uploads.find(upload_name(recording.path)) is not None

    def _is_referenced(self, recording: StoredRecording, stems: frozenset[str], hashes: frozenset[str]) -> bool:
        if recording.path.stem in stems:
            return True
        # A model may have been trained on the beginning of a recording that was still growing.
        return bool(hashes) and (_hash_of_first_second(recording) in hashes or self._sha256(recording) in hashes)

    def _sha256(self, recording: StoredRecording) -> str:
        """Return the hash of a closed recording, computed once; "" after :meth:`stop`. Raises :class:`~stinger.errors.FileError`."""
        key = recording.path, recording.ended_s, recording.bytes
        if key not in self._hashes:
            digest = hashlib.sha256()
            with os_errors(recording.path), open_regular(recording.path) as file:
                while part := file.read(_PART_BYTES):
                    digest.update(part)
                    if self._stopping.is_set():
                        return ""
            self._hashes[key] = digest.hexdigest()
        return self._hashes[key]


def _is_too_old(recording: StoredRecording, limits: Limits, now_s: float) -> bool:
    return limits.keep_s is not None and recording.ended_s >= EARLIEST_S and now_s - recording.ended_s > limits.keep_s


def _hash_of_first_second(recording: StoredRecording) -> str:
    """Return the hash of its first second of samples. Raises :class:`~stinger.errors.FileError`."""
    with os_errors(recording.path), open_regular(recording.path) as file:
        return hashlib.sha256(file.read(SAMPLE_RATE_HZ * SAMPLE_BYTES)).hexdigest()


def _delete(recording: Path, problems: list[str]) -> bool:
    # The sidecar last: recovery would take a recording without a sidecar for one that a killed daemon left open.
    return _unlink(recording, problems) and _unlink(sidecar_path(recording), problems)


def _unlink(path: Path, problems: list[str]) -> bool:
    try:
        with os_errors(path):
            path.unlink(missing_ok=True)
    except StingerError as error:
        problems.append(str(error))
        return False
    return True
