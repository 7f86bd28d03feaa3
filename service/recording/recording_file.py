"""One recording being written: whole records at its end, whatever the disk does."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from service.recording.sidecar import RECORDING_ENDING, Sidecar, sidecar_path
from stinger.sample import SAMPLE_BYTES

_MAX_NAMES: Final = 1000


class TornError(Exception):
    """A write failed and the file could not be cut back to whole records: nothing more may be added to it."""


class RecordingFile:
    """A new ``.bin`` in ``folder``, open for appending; :attr:`sidecar` is what is to be said of it.

    ``folder`` is made. Raises ``OSError`` for what the system refuses.
    """

    __slots__ = ("bytes", "dirty", "fd", "lost", "path", "sidecar", "torn")

    def __init__(self, folder: Path, stem: str, sidecar: Sidecar) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self.fd = _create(folder, stem)
        self.sidecar = sidecar
        self.bytes = 0
        """Whole records in the file, in bytes."""
        self.lost = 0
        """Samples that were to be in it and could not be written."""
        self.torn = False
        """Whether there are bytes behind the last whole record."""
        self.dirty = False
        """Whether there are bytes that were not yet forced to the disk."""

    @property
    def sidecar_path(self) -> Path:
        """Where its sidecar belongs."""
        return sidecar_path(self.path)

    def write(self, records: bytes) -> None:
        """Append ``records`` (whole 17-byte records) with one unbuffered write, or as many as a short one needs.

        Raises ``OSError`` with as many whole records kept as were written, counted in :attr:`bytes`, and the rest of
        them gone; :class:`TornError` where the file could not be cut back to whole records.
        """
        written = 0
        total = len(records)
        try:
            written = os.write(self.fd, records)
            while written < total:
                more = os.write(self.fd, records[written:])
                if more == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 - as the system would say it
                written += more
        except OSError:
            whole = written - written % SAMPLE_BYTES
            self.bytes += whole
            self.dirty = True
            if whole != written:
                self._cut()
            raise
        self.bytes += total
        self.dirty = True  # not before it is written: a flush meanwhile would miss it

    def sync(self) -> None:
        """Force what was written to the disk. Raises ``OSError``."""
        self.dirty = False
        getattr(os, "fdatasync", os.fsync)(self.fd)

    def is_gone(self) -> bool:
        """Whether the file was deleted while it was open, so that what is written is seen by nobody. Raises ``OSError``."""
        return os.name != "nt" and os.fstat(self.fd).st_nlink == 0

    def described(self, *, gaps: int, end: str | None = None) -> Sidecar:
        """Its sidecar as of now; closed if there is a reason to ``end`` it."""
        return replace(
            self.sidecar,
            samples=self.bytes // SAMPLE_BYTES,
            gaps=gaps,
            lost_to_disk=self.lost,
            closed=end is not None,
            end=end,
        )

    def close(self) -> None:
        """Close the descriptor, once. Raises ``OSError`` for a write that the system had put off and then failed."""
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
            raise TornError(f"{self.path}: a torn record could not be cut off: {error.strerror or error}") from error


def _create(folder: Path, stem: str) -> tuple[Path, int]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
    for number in range(1, _MAX_NAMES):
        path = folder / f"{stem}{'' if number == 1 else f'_{number:03d}'}{RECORDING_ENDING}"
        if sidecar_path(path).exists():
            continue
        try:
            return path, os.open(path, flags, 0o644)
        except FileExistsError:
            continue
    raise FileExistsError(errno.EEXIST, "too many recordings of one millisecond", str(folder))
