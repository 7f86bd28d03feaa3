"""The slow half of recording, in a thread: forcing samples to the disk, closing files, writing sidecars."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from service.recording.recording_file import RecordingFile
from service.recording.sidecar import Sidecar
from stinger.errors import FileError
from stinger.files import write_bytes, write_many

MANY_FILES: Final = 16
"""From so many files on, one flush of all of the system's disks costs less than one for each file."""

_log = logging.getLogger(__name__)


class RecordingKeeper:
    """Owns every open file's closing and every sidecar's writing, so that whoever appends never waits for a disk.

    Every ``sync_interval_s`` it forces to the disk what was written, and looks whether files were deleted and whether
    at least ``keep_free_bytes`` are free in ``folder``. What it finds is in :attr:`notice`, :attr:`short_of_room`
    and :meth:`take_broken`. The thread starts with the first file.
    """

    def __init__(self, folder: Path, *, sync_interval_s: float, keep_free_bytes: int) -> None:
        self.notice = False
        """Whether there is something to look at: :attr:`short_of_room`, or broken files."""
        self.short_of_room = False
        self.errors = 0
        self._folder = folder
        self._interval_s = sync_interval_s
        self._keep_free = keep_free_bytes
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._open: set[RecordingFile] = set()
        self._broken: dict[RecordingFile, str] = {}
        self._retired: list[tuple[RecordingFile, Sidecar]] = []
        self._unsaved: dict[Path, Sidecar] = {}
        self._begun: list[RecordingFile] = []
        self._work = False
        self._asked = 0
        self._answered = 0
        self._ending = False
        self._thread: threading.Thread | None = None

    def add(self, file: RecordingFile) -> None:
        """Take on a new file; its sidecar is written soon."""
        with self._wake:
            self._open.add(file)
            self._begun.append(file)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="recording keeper", daemon=True)
                self._thread.start()
            self._tell()

    def save(self, path: Path, sidecar: Sidecar) -> None:
        """Have ``sidecar`` written soon."""
        with self._wake:
            self._unsaved[path] = sidecar
            self._tell()

    def retire(self, file: RecordingFile, sidecar: Sidecar) -> None:
        """Have ``file`` forced to the disk and closed, and then its last ``sidecar`` written.

        A file without a sample and without a note is deleted. Nothing may be written to it any more.
        """
        with self._wake:
            self._open.discard(file)
            self._broken.pop(file, None)
            self._retired.append((file, sidecar))
            self._tell()

    def take_broken(self) -> dict[RecordingFile, str]:
        """Open files to which no more should be written, and why; each is told once."""
        with self._lock:
            broken, self._broken = self._broken, {}
            self.notice = self.short_of_room
        return broken

    def look_for_room(self) -> None:
        """Find out anew whether the disk is short of room; may be called from any thread."""
        with suppress(OSError):
            free = shutil.disk_usage(self._folder).free
            # Twice as much to go on, so that it does not flap.
            self.short_of_room = free < self._keep_free * (2 if self.short_of_room else 1)
            with self._lock:
                self.notice = self.short_of_room or bool(self._broken)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that came before is on the disk; False if that took too long or failed."""
        with self._wake:
            if self._thread is None or not self._thread.is_alive():
                return not self._unsaved
            self._asked += 1
            wanted, errors = self._asked, self.errors
            self._tell()
            done = self._wake.wait_for(lambda: self._answered >= wanted, timeout_s)
        return done and self.errors == errors

    def close(self, timeout_s: float) -> bool:
        """Finish everything and end the thread; False if that took longer than ``timeout_s``."""
        with self._wake:
            thread = self._thread
            self._ending = True
            self._tell()
        if thread is None:
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    def _tell(self) -> None:
        """Wake the thread; only with the lock."""
        self._work = True
        self._wake.notify_all()

    def _run(self) -> None:
        next_sync_s = time.monotonic() + self._interval_s
        while True:
            with self._wake:
                # What failed waits for the next interval: only what is new wakes the thread before.
                self._wake.wait_for(lambda: self._work, max(0.0, next_sync_s - time.monotonic()))
                self._work = False
                asked, ending = self._asked, self._ending
                retired, self._retired = self._retired, []
                begun, self._begun = self._begun, []
            self._describe(begun)
            if ending or asked > self._answered or time.monotonic() >= next_sync_s:
                self._sync_open()
                self.look_for_room()
                next_sync_s = time.monotonic() + self._interval_s
            self._close_retired(retired)
            self._save_sidecars()
            with self._wake:
                self._answered = asked
                self._wake.notify_all()
                if ending and not self._retired:
                    return

    def _describe(self, begun: list[RecordingFile]) -> None:
        """Write first sidecars: of no use after a crash of the machine, so the disk need not be waited for."""
        for file in begun:
            try:
                write_bytes(file.sidecar_path, file.sidecar.to_json(), lasting=False)
            except FileError as error:
                self.save(file.sidecar_path, file.sidecar)
                self._count(str(error))

    def _sync_open(self) -> None:
        with self._lock:
            files = list(self._open)
        dirty = [file for file in files if file.dirty]
        if len(dirty) >= MANY_FILES and hasattr(os, "sync"):
            for file in dirty:
                file.dirty = False
            os.sync()
        else:
            for file in dirty:
                try:
                    file.sync()
                except OSError as error:
                    self._break(file, f"{file.path}: {error.strerror or error}")
        for file in files:
            with suppress(OSError):
                if file.is_gone():
                    self._break(file, f"{file.path} was deleted while it was being written")

    def _close_retired(self, retired: list[tuple[RecordingFile, Sidecar]]) -> None:
        if len(retired) >= MANY_FILES and hasattr(os, "sync"):
            os.sync()
            for file, _ in retired:
                file.dirty = False
        for file, sidecar in retired:
            try:
                if file.dirty:
                    file.sync()
            except OSError as error:
                self._count(f"{file.path}: {error.strerror or error}")
            try:
                file.close()
                if sidecar.samples or sidecar.notes:
                    self._note(file.sidecar_path, sidecar)
                else:
                    with self._lock:
                        self._unsaved.pop(file.sidecar_path, None)
                    file.path.unlink(missing_ok=True)
                    file.sidecar_path.unlink(missing_ok=True)
            except OSError as error:
                self._count(f"{file.path}: {error.strerror or error}")

    def _note(self, path: Path, sidecar: Sidecar) -> None:
        with self._lock:
            self._unsaved[path] = sidecar

    def _save_sidecars(self) -> None:
        with self._lock:
            unsaved, self._unsaved = self._unsaved, {}
        if len(unsaved) >= MANY_FILES:
            # Where one of them fails, each is tried by itself.
            with suppress(FileError):
                write_many({path: sidecar.to_json() for path, sidecar in unsaved.items()})
                return
        failed = self._save_each(unsaved)
        if failed:
            with self._lock:
                self._unsaved = failed | self._unsaved  # a newer one of the same file stands

    def _save_each(self, unsaved: dict[Path, Sidecar]) -> dict[Path, Sidecar]:
        """Write each; return what could not be written."""
        failed = {}
        for path, sidecar in unsaved.items():
            try:
                write_bytes(path, sidecar.to_json())
            except FileError as error:
                # Where the whole folder was deleted, there is nothing left to describe.
                if path.parent.is_dir():
                    failed[path] = sidecar
                self._count(str(error))
        return failed

    def _break(self, file: RecordingFile, why: str) -> None:
        with self._lock:
            if file not in self._open:
                return
            self._open.discard(file)
            self._broken[file] = why
            self.notice = True
        self._count(why)

    def _count(self, why: str) -> None:
        self.errors += 1
        _log.log(logging.WARNING if self.errors == 1 else logging.DEBUG, "recording_trouble reason=%r", why)
