"""Writes the sidecars of recordings that wait to be written, for the thread of :mod:`service.recording.disk_worker`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from service.base.logs import get_logger
from service.recording.recording_file import RecordingFile
from service.recording.sidecar import Sidecar
from service.recording.sidecar_lock import LOCK_WITHIN_S, sidecar_lock
from stinger.errors import FileError
from stinger.files import write_bytes, write_many
from stinger.logs.marked import read_marks

MANY_FILES: Final = 16
"""From this number of files on, one flush of all of the system's disks costs less than one for each file."""

_LOG: Final = get_logger(__name__)


class DiskErrors:
    """Counts and logs what keeps recordings from the disk. For one thread; others may read :attr:`count`."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, reason: str) -> None:
        """Count and log a failure of the disk: the first as a warning, later ones at debug level."""
        self.count += 1
        _LOG.log(logging.WARNING if self.count == 1 else logging.DEBUG, "recording_disk_error", reason=reason)

    def add_mistake(self, path: Path) -> None:
        """Count and log the exception that is being handled, a mistake in the program.

        The sidecar ``path`` is not written. The next start writes it.
        """
        self.count += 1
        _LOG.exception("sidecar_not_written", path=path)


class SidecarWriter:
    """The sidecars that wait to be written. One thread writes them, others may add to them.

    While another process holds the lock on them for longer than ``lock_within_s``, they wait.
    """

    def __init__(self, errors: DiskErrors, *, lock_within_s: float = LOCK_WITHIN_S) -> None:
        self._errors = errors
        self._lock_within_s = lock_within_s
        self._lock = threading.Lock()
        self._unsaved: dict[Path, Sidecar] = {}

    @property
    def waiting(self) -> bool:
        """Whether any sidecar waits."""
        return bool(self._unsaved)

    def put(self, path: Path, sidecar: Sidecar) -> None:
        """Have ``sidecar`` written to ``path``, in place of one that waits for it."""
        with self._lock:
            self._unsaved[path] = sidecar

    def discard(self, path: Path) -> None:
        """Do not write the sidecar that waits for ``path``, if there is one."""
        with self._lock:
            self._unsaved.pop(path, None)

    def write_first(self, files: Iterable[RecordingFile]) -> None:
        """Write the sidecars of new files without waiting for the disk: after a crash of the machine they are of no use."""
        for file in files:
            try:
                write_bytes(file.sidecar_path, file.sidecar.to_json(), lasting=False)
            except FileError as error:
                self.put(file.sidecar_path, file.sidecar)
                self._errors.add(str(error))
            except Exception:  # noqa: BLE001 - one sidecar must not keep the others from being written
                self._errors.add_mistake(file.sidecar_path)

    def write(self) -> None:
        """Write all that wait, with the marks that are in the files; what the disk refuses waits for the next call."""
        with self._lock:
            unsaved, self._unsaved = self._unsaved, {}
        if not unsaved:
            return
        failed = unsaved
        try:
            with sidecar_lock(next(iter(unsaved)), within_s=self._lock_within_s):
                failed = self._write_all({path: _with_stored_marks(path, one) for path, one in unsaved.items()})
        except FileError as error:  # the lock is held by another process, or the folder is gone
            self._errors.add(str(error))
            failed = {path: sidecar for path, sidecar in unsaved.items() if path.parent.is_dir()}
        if failed:
            with self._lock:
                self._unsaved = failed | self._unsaved  # a newer sidecar of the same file takes precedence

    def _write_all(self, unsaved: dict[Path, Sidecar]) -> dict[Path, Sidecar]:
        """Write the sidecars; return those that the disk refused."""
        if len(unsaved) >= MANY_FILES:
            # If one of them fails, each is written by itself below.
            with suppress(Exception):
                write_many({path: sidecar.to_json() for path, sidecar in unsaved.items()})
                return {}
        return self._write_each(unsaved)

    def _write_each(self, unsaved: dict[Path, Sidecar]) -> dict[Path, Sidecar]:
        """Write each sidecar; return those that the disk refused."""
        failed = {}
        for path, sidecar in unsaved.items():
            try:
                write_bytes(path, sidecar.to_json())
            except FileError as error:
                # If the whole folder was deleted, there is nothing left to describe.
                if path.parent.is_dir():
                    failed[path] = sidecar
                self._errors.add(str(error))
            except Exception:  # noqa: BLE001 - one sidecar must not keep the others from being written
                self._errors.add_mistake(path)
        return failed


def _with_stored_marks(path: Path, sidecar: Sidecar) -> Sidecar:
    """Return ``sidecar`` with the marks in the file ``path``: people mark things while a recording is being written."""
    try:
        marks = read_marks(path)
    except FileError:  # damaged: it is about to be replaced by a whole one
        return sidecar
    return replace(sidecar, marks=marks) if marks else sidecar
