"""The slow half of recording, in a thread: forcing samples to the disk, closing files, writing sidecars."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from service.base.logs import get_logger
from service.recording.recording_file import RecordingFile
from service.recording.sidecar import Sidecar
from service.recording.sidecar_writer import MANY_FILES, DiskErrors, SidecarWriter

RESTART_S: Final = 1.0
"""How long after a failure of the thread its work begins again."""
MAX_ROUND_S: Final = 30.0
"""A disk that keeps the thread for longer is reported."""

_LOG = get_logger(__name__)


class DiskWorker:
    """Closes every recording and writes every sidecar, in a thread.

    The thread that appends thus never waits for a disk. Every ``sync_interval_s`` it forces what was written to the
    disk, and checks whether files were deleted and whether ``keep_free_bytes`` are free in ``folder``. The results are
    in :attr:`needs_attention`, :attr:`low_on_space` and :meth:`take_failed`. The thread starts with the first file. A
    problem with the disk never ends it. A mistake in the program is logged; if it ends the thread's work, that begins
    again after ``restart_s``. :meth:`supervise` returns what is wrong.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sync_interval_s: float,
        keep_free_bytes: int,
        restart_s: float = RESTART_S,
        max_round_s: float = MAX_ROUND_S,
    ) -> None:
        self.needs_attention = False
        """Whether the disk is low on space, or :meth:`take_failed` has files."""
        self.low_on_space = False
        self._errors = DiskErrors()
        self._folder = folder
        self._interval_s = sync_interval_s
        self._keep_free = keep_free_bytes
        self._restart_s = restart_s
        self._max_round_s = max_round_s
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._open: set[RecordingFile] = set()
        self._failed: dict[RecordingFile, str] = {}
        self._to_close: list[tuple[RecordingFile, Sidecar]] = []
        self._sidecars = SidecarWriter(self._errors)
        self._opened: list[RecordingFile] = []
        self._has_work = False
        self._flushes_requested = 0
        self._flushes_done = 0
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._crash: BaseException | None = None
        """What ended the thread's work; ``None`` again after a whole round of it."""
        self._round_began_s: float | None = None
        """When the current round of work began, on the monotonic clock; ``None`` while the thread waits."""

    @property
    def errors(self) -> int:
        """Number of failures of the disk and of this thread."""
        return self._errors.count

    def add(self, file: RecordingFile) -> None:
        """Take over a new file; its sidecar is written soon."""
        with self._changed:
            self._open.add(file)
            self._opened.append(file)
            self._start_thread()
            self._wake()

    def supervise(self) -> str:
        """Start the thread again if it has ended; return why its work is not being done, empty if it is.

        Without it, no sample would be forced to the disk and no file closed. Call this about once a second.
        """
        with self._changed:
            if self._thread is not None and not self._stopping:
                self._start_thread()
            crash, began_s = self._crash, self._round_began_s
        if crash is not None:
            return f"the thread that writes recordings to the disk has failed: {crash!r:.200}"
        waited_s = 0.0 if began_s is None else time.monotonic() - began_s
        if waited_s > self._max_round_s:
            return f"{self._folder}: the disk has not answered for {waited_s:.0f} s"
        return ""

    def save_sidecar(self, path: Path, sidecar: Sidecar) -> None:
        """Have ``sidecar`` written soon."""
        with self._changed:
            self._sidecars.put(path, sidecar)
            self._wake()

    def close_file(self, file: RecordingFile, sidecar: Sidecar) -> None:
        """Have ``file`` forced to the disk and closed, and then its last ``sidecar`` written.

        A file without samples and notes is deleted. The caller must not write to the file any more.
        """
        with self._changed:
            self._open.discard(file)
            self._failed.pop(file, None)
            self._to_close.append((file, sidecar))
            self._wake()

    def take_failed(self) -> dict[RecordingFile, str]:
        """Return, once each, the open files that must not be written to any more, and why."""
        with self._lock:
            failed, self._failed = self._failed, {}
            self.needs_attention = self.low_on_space
        return failed

    def check_free_space(self) -> None:
        """Update :attr:`low_on_space`; may be called from any thread."""
        with suppress(OSError):
            free = shutil.disk_usage(self._folder).free
            # Recording resumes only with twice as much free, so that it does not stop and resume all the time.
            self.low_on_space = free < self._keep_free * (2 if self.low_on_space else 1)
            with self._lock:
                self.needs_attention = self.low_on_space or bool(self._failed)

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything handed over before is on the disk; return False if that took too long or failed."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                return not self._sidecars.waiting and self._crash is None
            self._flushes_requested += 1
            wanted, errors = self._flushes_requested, self.errors
            self._wake()
            done = self._changed.wait_for(lambda: self._flushes_done >= wanted or self._crash is not None, timeout_s)
            return done and self.errors == errors and self._crash is None

    def stop(self, timeout_s: float) -> bool:
        """Finish all work and end the thread; return False if that took longer than ``timeout_s``, or the thread failed."""
        with self._changed:
            thread = self._thread
            self._stopping = True
            self._wake()
        if thread is None:
            return True
        thread.join(timeout_s)
        if self._crash is not None:
            for file in [*self._open, *(file for file, _ in self._to_close)]:
                with suppress(OSError):
                    file.close()  # recovery at the next start completes the sidecars
            return False
        return not thread.is_alive()

    def _wake(self) -> None:
        """Wake the thread; the caller holds the lock."""
        self._has_work = True
        self._changed.notify_all()

    def _start_thread(self) -> None:
        """Start the thread unless it runs; the caller holds the lock."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._thread = threading.Thread(target=self._run, name="recording disk worker", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # the system has no thread left: tried again by supervise()
            self._crash = error
        else:
            self._crash = None

    def _run(self) -> None:
        while True:
            try:
                self._work_until_stopped()
            except BaseException as error:  # noqa: BLE001 - nobody would notice the end of this thread
                _LOG.exception("recording_thread_failed", restart_s=self._restart_s)
                self._errors.count += 1
                with self._changed:
                    failed_again = self._stopping and self._crash is not None
                    self._crash, self._round_began_s = error, None
                    self._changed.notify_all()
                    if failed_again:
                        return
                    self._changed.wait_for(lambda: self._stopping, self._restart_s)
                    self._has_work = True
            else:
                return

    def _work_until_stopped(self) -> None:
        next_sync_s = time.monotonic() + self._interval_s
        while True:
            with self._changed:
                # What failed is tried again at the next interval: only new work wakes the thread earlier.
                self._changed.wait_for(lambda: self._has_work, max(0.0, next_sync_s - time.monotonic()))
                self._has_work = False
                self._round_began_s = time.monotonic()
                requested, stopping = self._flushes_requested, self._stopping
                to_close, self._to_close = self._to_close, []
                opened, self._opened = self._opened, []
            try:
                self._sidecars.write_first(opened)
                if stopping or requested > self._flushes_done or time.monotonic() >= next_sync_s:
                    self._sync_open_files()
                    self.check_free_space()
                    next_sync_s = time.monotonic() + self._interval_s
                self._close_files(to_close)
                self._sidecars.write()
            except BaseException:
                with self._changed:
                    self._to_close[:0] = [(file, sidecar) for file, sidecar in to_close if file.fd >= 0]
                    self._opened[:0] = opened
                raise
            with self._changed:
                self._flushes_done = requested
                self._crash = self._round_began_s = None
                self._changed.notify_all()
                if stopping and not self._to_close:
                    return

    def _sync_open_files(self) -> None:
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
                    self._fail(file, f"{file.path}: {error.strerror or error}")
        for file in files:
            with suppress(OSError):
                if interference := file.interference():
                    self._fail(file, f"{file.path} was {interference} while it was being written")

    def _close_files(self, to_close: list[tuple[RecordingFile, Sidecar]]) -> None:
        if len(to_close) >= MANY_FILES and hasattr(os, "sync"):
            os.sync()
            for file, _ in to_close:
                file.dirty = False
        for file, sidecar in to_close:
            try:
                if file.dirty:
                    file.sync()
            except OSError as error:
                self._errors.add(f"{file.path}: {error.strerror or error}")
            try:
                file.close()
                if sidecar.samples or sidecar.notes:
                    self._sidecars.put(file.sidecar_path, sidecar)
                    continue
                self._sidecars.discard(file.sidecar_path)
                file.path.unlink(missing_ok=True)
                file.sidecar_path.unlink(missing_ok=True)
            except OSError as error:
                self._errors.add(f"{file.path}: {error.strerror or error}")

    def _fail(self, file: RecordingFile, reason: str) -> None:
        with self._lock:
            if file not in self._open:
                return
            self._open.discard(file)
            self._failed[file] = reason
            self.needs_attention = True
        self._errors.add(reason)
