"""The steps from a blaster's log to models on it; each can be repeated. The results are in the data folder.

Each log has a folder of its own below ``personal``: the log, where it is from, and a folder for each training on it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.repeats import without_repeats
from models.sessions import check_rates, open_sessions
from service.round_trip.personal_result import RESULT_FILE, PersonalResult, read_result
from service.round_trip.recording_quality import RecordingQuality, quality_of
from service.web.action_settings import ActionSettings
from service.web.actions import Kind
from stinger.errors import FileError, InputError
from stinger.files import os_errors, read_bytes, write_bytes
from stinger.logs import parse_log, read_marked_log
from stinger.logs.marked import SIDECAR_MAX_BYTES, sidecar_path
from stinger.private_files import private_files
from stinger.recording_name import recording_stem
from stinger.shots import MIN_SHOT_GAP_MS
from stinger.wording import printable

PERSONAL_FOLDER: Final = "personal"
LOG_NAME: Final = "ml_log.bin"
"""The content of a log shows its format, whatever it is called."""
_ORIGIN_NAME: Final = "origin.txt"
_TRAINING: Final = "training-"
_LONGEST_NAME: Final = 100
_LONGEST_PORT: Final = 200


@dataclass(frozen=True, slots=True)
class PersonalLog:
    """A log, and where it is from."""

    path: Path
    origin: str


@dataclass(frozen=True, slots=True)
class LogQuality:
    """How well a log serves to train, and what was repaired or left out in it, a line each."""

    quality: RecordingQuality
    notes: tuple[str, ...]


class Personalisation:
    """The personalisation of the page's process: everyone sees the same one.

    The newest log is the present one, also after the page was started again.
    """

    def __init__(self, settings: ActionSettings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / PERSONAL_FOLDER
        self.port = ""
        """The port that was used last."""
        self.changes = 0
        """How often the present log was changed by other means than an action."""

    def log(self) -> PersonalLog | None:
        """Return the present log; ``None`` if there is none yet."""
        for folder in self._folders():
            path = folder / LOG_NAME
            if path.is_file():
                return PersonalLog(path, _origin(folder))
        return None

    def fetch(self, port: str) -> None:
        """Start to fetch the log of the blaster at ``port``. Raises :class:`InputError` if that is not possible now."""
        self._settings.actions.check_free(Kind.FETCH)
        self.port = _checked_port(port)
        folder = self._new_folder(f"fetched from {self.port}")
        self._settings.actions.start(Kind.FETCH, ["pull", f"--port={self.port}", f"--output={folder / LOG_NAME}"])

    def keep_upload(self, name: str, data: bytes) -> None:
        """Make ``data``, a file that was called ``name``, the present log. Raises :class:`InputError` if it is none."""
        shown = printable(name)[:_LONGEST_NAME] or "the file"
        if not parse_log(data, shown).recordings:
            raise InputError(f"{shown} has no samples")
        self._keep(data, f"uploaded: {shown}")

    def use_saved(self, path: Path) -> None:
        """Make a copy of the recording at ``path``, with its marks, the present log.

        Raises :class:`InputError` if it cannot be read.
        """
        sidecar = sidecar_path(path)
        with os_errors(sidecar):
            marked = read_bytes(sidecar, at_most=SIDECAR_MAX_BYTES) if sidecar.exists() else b""
        self._keep(read_bytes(path), f"recording {path.stem} of {path.parent.name}", marked)

    def train(self) -> None:
        """Start to train on the present log. Raises :class:`InputError` if that is not possible now."""
        log = self._present_log()
        output = log.path.parent / f"{_TRAINING}{recording_stem(time.time())}"
        arguments = ["personalise", f"--data-dir={self._settings.data_dir}", f"--outdir={output}", str(log.path)]
        self._settings.actions.start(Kind.PERSONAL_TRAINING, arguments)

    def result(self) -> tuple[PersonalResult, Path] | None:
        """Return the result of the newest finished training on the present log, and its folder.

        ``None`` without one.
        """
        log = self.log()
        if log is None:
            return None
        for folder in sorted(log.path.parent.glob(f"{_TRAINING}*"), reverse=True):
            if (folder / RESULT_FILE).is_file():
                with suppress(FileError):
                    return read_result(folder), folder
        return None

    def upload(self, port: str) -> None:
        """Start to upload the models that are better than chance.

        Raises :class:`InputError` if that is not possible now.
        """
        found = self.result()
        if found is None:
            raise InputError("there is no model yet: train first")
        result, folder = found
        chosen = [f"--{one.menu_name.lower()}={folder / one.file}" for one in result.models if one.beats_chance]
        if not chosen:
            raise InputError("no model is better than chance: record more, and train again")
        self.port = _checked_port(port)
        self._settings.actions.start(Kind.UPLOAD, ["push", f"--port={self.port}", *chosen])

    def quality(self) -> LogQuality | None:
        """Return the quality of the present log; ``None`` without one. Reads it: not for an event loop.

        Raises :class:`InputError` for a log that cannot be read.
        """
        log = self.log()
        if log is None:
            return None
        read = read_marked_log(log.path)
        sessions = open_sessions([read], min_shot_gap_ms=MIN_SHOT_GAP_MS)
        check_rates(read, sessions)
        timed = [session for session in sessions if session.recording.rate_hz is not None]
        distinct = without_repeats(timed)
        notes = (*read.repairs.messages(), *read.marked_texts(), *distinct.warnings)
        return LogQuality(quality_of(distinct.sessions), notes)

    def _present_log(self) -> PersonalLog:
        log = self.log()
        if log is None:
            raise InputError("there is no log yet: fetch or upload one first")
        return log

    def _keep(self, data: bytes, origin: str, sidecar: bytes = b"") -> None:
        folder = self._new_folder(origin)
        with private_files(self._settings.data_dir):
            if sidecar:
                write_bytes(sidecar_path(folder / LOG_NAME), sidecar)
            write_bytes(folder / LOG_NAME, data)
        self.changes += 1

    def _new_folder(self, origin: str) -> Path:
        """Create a folder for a log from ``origin``; those of logs that never arrived are deleted."""
        for folder in self._folders():
            if not (folder / LOG_NAME).exists() and not self._is_fetching:
                with suppress(OSError):
                    (folder / _ORIGIN_NAME).unlink(missing_ok=True)
                    folder.rmdir()
        folder = self._folder / recording_stem(time.time())
        with private_files(self._settings.data_dir), os_errors(folder):
            folder.mkdir(parents=True)
            write_bytes(folder / _ORIGIN_NAME, f"{origin}\n".encode(errors="replace"))
        return folder

    @property
    def _is_fetching(self) -> bool:
        action = self._settings.actions.newest(Kind.FETCH)
        return action is not None and action.state == "running"

    def _folders(self) -> list[Path]:
        """Return the folders of logs, the newest first."""
        try:
            return sorted((path for path in self._folder.iterdir() if path.is_dir()), reverse=True)
        except OSError:
            return []


def _origin(folder: Path) -> str:
    try:
        return printable(read_bytes(folder / _ORIGIN_NAME, at_most=4_096).decode(errors="replace").strip())
    except FileError:
        return "?"


def _checked_port(port: str) -> str:
    port = port.strip()
    if not port or len(port) > _LONGEST_PORT or not port.isprintable():
        raise InputError("choose the blaster's port first")
    return port
