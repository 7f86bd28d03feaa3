"""Finds the closed recordings that are not in shared storage yet, and uploads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.storage.folder import StorageFolder
from service.base.states import UploadTotals
from service.recording.sidecar import Sidecar, read_sidecar
from service.recording.upload_journal import Upload, UploadJournal, upload_name
from stinger.errors import FileError
from stinger.files import os_errors
from stinger.logs.marked import sidecar_path
from stinger.recording_name import RECORDING_SUFFIX, STEM

SETTLE_NS: Final = 3_000_000_000
"""A folder changed less than this before it was read may change again with the same modification time: read it
again."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    path: Path
    upload: Upload
    since_s: float


class UploadQueue:
    """The closed recordings below the folder ``recordings`` that ``journal`` does not have yet.

    :meth:`look` and :meth:`upload_next` are for one thread at a time; :meth:`totals` may be called from any. The
    recordings are uploaded to ``folder``, as ``DEVICE/TIME.bin`` and, after it, the sidecar: one without a sidecar is
    not complete.
    """

    def __init__(
        self,
        recordings: Path,
        folder: StorageFolder,
        journal: UploadJournal,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recordings = recordings
        self._folder = folder
        self._journal = journal
        self._monotonic_s = monotonic_s
        self._waiting: dict[str, _Waiting] = {}
        self._looked_at: dict[Path, int] = {}
        self._uploaded = self._uploaded_bytes = self._failures = 0

    def look(self) -> tuple[str, ...]:
        """Look for recordings that were closed or got another sidecar; return a line for each that cannot be examined.

        Only folders that were changed since the last call are read.
        """
        problems: list[str] = []
        for folder in self._changed_folders(problems):
            for path in _recordings_in(folder, problems):
                try:
                    self._examine(path)
                except FileError as error:
                    problems.append(str(error))
        return tuple(problems)

    def upload_next(self) -> bool:
        """Upload the recording that has waited longest; return False if none waits.

        Raises a :class:`~stinger.errors.StingerError` if it fails; the recording then waits behind the others.
        """
        name = next(iter(self._waiting), None)
        if name is None:
            return False
        waiting = self._waiting.pop(name)
        try:
            self._upload(name, waiting)
        except BaseException as error:
            if not waiting.path.exists():  # deleted meanwhile
                return True
            self._waiting[name] = waiting
            self._failures += isinstance(error, Exception)
            raise
        return True

    def totals(self) -> UploadTotals:
        """Return the totals, and what waits now."""
        waiting = list(self._waiting.values())
        since_s = min((one.since_s for one in waiting), default=None)
        return UploadTotals(
            uploaded=self._uploaded,
            uploaded_bytes=self._uploaded_bytes,
            failures=self._failures,
            waiting=len(waiting),
            waiting_bytes=sum(one.upload.size for one in waiting),
            waiting_s=0.0 if since_s is None else self._monotonic_s() - since_s,
        )

    def _changed_folders(self, problems: list[str]) -> Iterator[Path]:
        if not self._recordings.is_dir():
            return
        try:
            with os_errors(self._recordings):
                folders = sorted(entry for entry in self._recordings.iterdir() if entry.is_dir())
        except FileError as error:
            problems.append(str(error))
            return
        for folder in folders:
            try:
                with os_errors(folder):
                    changed_ns = folder.stat().st_mtime_ns
            except FileError as error:
                problems.append(str(error))
                continue
            if self._looked_at.get(folder) == changed_ns:
                continue
            settled = abs(time.time_ns() - changed_ns) > SETTLE_NS
            yield folder
            if settled:
                self._looked_at[folder] = changed_ns

    def _examine(self, path: Path) -> None:
        name = upload_name(path)
        sidecar_file = sidecar_path(path)
        with os_errors(path):
            if not sidecar_file.exists():
                return
            upload = Upload(path.stat().st_size, sidecar_file.stat().st_mtime_ns)
        waiting = self._waiting.get(name)
        if upload == self._journal.find(name) or (waiting is not None and upload == waiting.upload):
            return
        if _read_closed(sidecar_file) is None:
            return
        since_s = self._monotonic_s() if waiting is None else waiting.since_s
        self._waiting[name] = _Waiting(path, upload, since_s)

    def _upload(self, name: str, waiting: _Waiting) -> None:
        before = self._journal.find(name)
        if before is None or before.size != waiting.upload.size:
            self._upload_samples(name, waiting)
        sidecar_name = f"{name.removesuffix(RECORDING_SUFFIX)}{sidecar_path(waiting.path).suffix}"
        self._folder.upload(sidecar_path(waiting.path), sidecar_name)
        self._journal.add(name, waiting.upload)
        if before is None:
            self._uploaded += 1

    def _upload_samples(self, name: str, waiting: _Waiting) -> None:
        there = self._folder.find(name)
        if there is None:
            self._folder.upload(waiting.path, name)
            self._uploaded_bytes += waiting.upload.size
        elif there.size != waiting.upload.size:
            raise FileError(
                (self._folder.url / name).text,
                f"is another recording, of {there.size:,} bytes instead of {waiting.upload.size:,}: if a data folder was "
                "copied from another daemon, delete the file daemon-id in one of them",
            )


def _recordings_in(folder: Path, problems: list[str]) -> list[Path]:
    try:
        with os_errors(folder):
            return sorted(
                path for path in folder.iterdir() if path.suffix == RECORDING_SUFFIX and STEM.fullmatch(path.stem)
            )
    except FileError as error:
        problems.append(str(error))
        return []


def _read_closed(path: Path) -> Sidecar | None:
    """Return the sidecar at ``path``; ``None`` if it is empty, or its recording is still open."""
    with os_errors(path):
        if not path.stat().st_size:
            return None
    sidecar = read_sidecar(path)
    return sidecar if sidecar.closed else None
