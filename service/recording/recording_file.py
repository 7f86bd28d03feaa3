"""One recording while it is being written: it consists of whole records, even if the disk fails."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from service.base.logs import get_logger
from service.recording.sidecar import EndReason, Sidecar
from service.recording.store import recording_paths
from stinger.logs.marked import sidecar_path
from stinger.recording import GAP_MS, WRAP_MAX_STEP_MS
from stinger.sample import CLOCK_WRAP_MS, SAMPLE_BYTES, SampleArray

_LOG: Final = get_logger(__name__)
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)


class TornError(Exception):
    """A write failed and the file could not be cut back to whole records: nothing more may be added to it."""


class RecordingFile:
    """A new ``.bin`` file in ``folder``, open for appending, and the values for its :attr:`sidecar`.

    ``folder`` is created if it does not exist. ``started_s`` (Unix time) gives the file its name. Raises ``OSError`` if
    the system refuses.
    """

    __slots__ = ("boot", "bytes", "dirty", "fd", "gaps", "last_ms", "lost", "max_bytes", "path", "sidecar", "torn")

    def __init__(self, folder: Path, started_s: float, sidecar: Sidecar, *, max_bytes: int) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, "exists and is not a folder", str(folder)) from error
        self.path, self.fd = _create(folder, started_s)
        self.sidecar = sidecar
        self.boot = sidecar.boot
        self.max_bytes = max_bytes
        self.bytes = 0
        """Size of the whole records in the file."""
        self.last_ms = 0
        """Device time of the last sample; 0 in an empty file."""
        self.gaps = 0
        self.lost = 0
        """Number of samples that belong in the file and could not be written."""
        self.torn = False
        """Whether there are bytes behind the last whole record."""
        self.dirty = False
        """Whether there are bytes that were not yet forced to the disk."""

    @property
    def sidecar_path(self) -> Path:
        """The path of its sidecar."""
        return sidecar_path(self.path)

    def continues_with(self, first_ms: int, boot: int, size: int) -> bool:
        """Return whether ``size`` bytes of records from ``boot``, the first one taken at ``first_ms``, belong in this file.

        They do if the device's clock has not started over and the file has room for them. An empty file has room for
        any block. :meth:`end_reason` returns why they do not.
        """
        return (
            boot == self.boot and first_ms >= self.last_ms and (self.bytes + size <= self.max_bytes or not self.bytes)
        )

    def end_reason(self, first_ms: int, boot: int) -> EndReason:
        """Return why the file ends before a block for which :meth:`continues_with` is false."""
        if boot == self.boot and first_ms >= self.last_ms:
            return EndReason.SIZE
        step_ms = first_ms - self.last_ms
        wrapped = step_ms < 0 and step_ms + CLOCK_WRAP_MS <= WRAP_MAX_STEP_MS
        return EndReason.CLOCK_WRAP if wrapped else EndReason.REBOOT

    def write(self, records: bytes) -> None:
        """Append ``records`` (whole 17-byte records) with one unbuffered write, or several if the system writes less.

        Raises ``OSError`` if a write fails: whole records that were written stay, counted in :attr:`bytes`, and a part
        of a record is cut off. Raises :class:`TornError` if the file could not be cut back to whole records.
        """
        written = 0
        total = len(records)
        try:
            written = os.write(self.fd, records)
            while written < total:
                more = os.write(self.fd, records[written:])
                if more == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 - like the system's own error
                written += more
        except OSError:
            whole = written - written % SAMPLE_BYTES
            self.bytes += whole
            self.dirty = True
            if whole != written:
                self._cut()
            raise
        self.bytes += total
        self.dirty = True  # only after the write: a flush that runs meanwhile would miss these bytes

    def count_gaps(self, samples: SampleArray) -> None:
        """Count the gaps within ``samples`` ``(n,)``, n > 1, whose first sample is already at :attr:`last_ms`."""
        times_ms = samples["timestamp_ms"]
        first_ms, self.last_ms = self.last_ms, int(times_ms[-1])
        if self.last_ms - first_ms > GAP_MS:
            steps_ms = times_ms[1:] - times_ms[:-1]
            if steps_ms.max() > GAP_MS:
                self.gaps += int(np.count_nonzero(steps_ms > GAP_MS))

    def sync(self) -> None:
        """Force the written bytes to the disk. Raises ``OSError``."""
        self.dirty = False
        getattr(os, "fdatasync", os.fsync)(self.fd)

    def interference(self) -> str:
        """Return what another program has done to the open file: deleted, renamed or shortened it; empty for nothing.

        What is written after that would be in no recording, or in one with another name. Raises ``OSError``.
        """
        if os.name == "nt":  # another program cannot do that to an open file
            return ""
        written = self.bytes  # read before the size: samples may be written meanwhile
        opened = os.fstat(self.fd)
        if opened.st_nlink == 0:
            return "deleted"
        if not self.path.exists():
            return "renamed"
        return "shortened" if opened.st_size < written else ""

    def described(self, *, end: EndReason | None = None) -> Sidecar:
        """Return its sidecar as of now; a closed one if there is a reason to ``end`` it."""
        return replace(
            self.sidecar,
            samples=self.bytes // SAMPLE_BYTES,
            gaps=self.gaps,
            lost_to_disk=self.lost,
            closed=end is not None,
            end=end,
        )

    def close(self) -> None:
        """Close the file; a second call has no effect.

        Raises ``OSError`` for a delayed write that the system then failed.
        """
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            if self.torn:
                with suppress(OSError):
                    os.ftruncate(fd, self.bytes)
            os.close(fd)

    def _cut(self) -> None:
        try:
            os.ftruncate(self.fd, self.bytes)
        except OSError as error:
            self.torn = True
            raise TornError(f"{self.path}: cannot cut off a torn record: {error.strerror or error}") from error


def largest_file(wanted_bytes: int) -> int:
    """Return ``wanted_bytes``, or less where the process may only write smaller files (RLIMIT_FSIZE)."""
    if sys.platform == "win32":
        return wanted_bytes
    import resource  # noqa: PLC0415 - not on Windows

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit == resource.RLIM_INFINITY or limit >= wanted_bytes:
        return wanted_bytes
    _LOG.warning("recordings_limited", bytes=limit, reason="this process may write no larger files (RLIMIT_FSIZE)")
    return limit


def _create(folder: Path, started_s: float) -> tuple[Path, int]:
    for path in recording_paths(folder, started_s):
        if sidecar_path(path).exists():
            continue
        try:
            return path, os.open(path, _FLAGS, 0o644)
        except FileExistsError:
            continue
    raise FileExistsError(errno.EEXIST, "too many recordings of one millisecond", str(folder))
