"""Follows the recording of one device while the daemon writes it: the newest samples, without asking the daemon."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final

from service.recording.store import device_folder
from service.web.score_history import LOOK_BACK_S
from stinger.device_name import DeviceName
from stinger.errors import FileError
from stinger.files import open_regular
from stinger.recording_name import STEM
from stinger.sample import SAMPLE_BYTES, SAMPLE_RATE_HZ

_LOOK_FOR_NEW_S: Final = 0.5
_BACK_BYTES: Final = LOOK_BACK_S * SAMPLE_RATE_HZ * SAMPLE_BYTES


class RecordingTail:
    """Reads what is appended to the newest recording of ``device`` below the folder ``recordings``.

    Close it at the end.
    """

    def __init__(self, recordings: Path, device: DeviceName, now_s: Callable[[], float] = time.monotonic) -> None:
        self._folder = device_folder(recordings, device)
        self._now_s = now_s
        self._file: FileIO | None = None
        self._path: Path | None = None
        self._looked_s = -1e9
        self._grown_s = -1e9

    @property
    def path(self) -> Path | None:
        """The recording that is followed; ``None`` if the device has none."""
        return self._path

    @property
    def growing_s(self) -> float:
        """How many seconds ago the recording last grew."""
        return self._now_s() - self._grown_s

    def read_new(self) -> tuple[bytes, bool]:
        """Return the whole sample records that were appended since the last call, and whether another file was begun.

        The first call, and the first after another file was begun, return the end of the file, five minutes at most.
        """
        begun = self._follow_newest()
        if self._file is None:
            return b"", begun
        try:
            data = self._file.read(_BACK_BYTES)
            excess = len(data) % SAMPLE_BYTES
            if excess:
                self._file.seek(-excess, 1)
        except OSError:
            self.close()
            return b"", begun
        if data and not begun:
            self._grown_s = self._now_s()
        return data[: len(data) - excess], begun

    def close(self) -> None:
        """Close the file; a later :meth:`read_new` opens it again."""
        if self._file is not None:
            self._file.close()
        self._file, self._path = None, None

    def _follow_newest(self) -> bool:
        now_s = self._now_s()
        if now_s - self._looked_s < _LOOK_FOR_NEW_S:
            return False
        self._looked_s = now_s
        newest = _newest(self._folder)
        if newest is None or newest == self._path:
            return False
        self.close()
        with suppress(OSError, FileError):
            self._file = open_regular(newest)
            self._path = newest
            size = newest.stat().st_size
            if self._file is not None:
                self._file.seek(max(0, size - _BACK_BYTES) // SAMPLE_BYTES * SAMPLE_BYTES)
        return self._file is not None


def _newest(folder: Path) -> Path | None:
    """Return the recording in ``folder`` that was begun last: names sort by time."""
    try:
        return max(
            (path for path in folder.iterdir() if path.suffix == ".bin" and STEM.fullmatch(path.stem)), default=None
        )
    except OSError:
        return None
