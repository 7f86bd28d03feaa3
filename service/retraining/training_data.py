"""The data that models are trained and compared on: the daemon's recordings, and the logs given by the user."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from models.repeats import without_repeats
from models.sessions import Session, open_sessions_of_logs
from models.task_runner import ProgressBar
from models.windows import span_of
from service.recording.store import read_store
from stinger.errors import FileError
from stinger.logs import Log, read_log
from stinger.logs.marked import with_marks
from stinger.marks import Marks
from stinger.mlmd import WINDOW_SAMPLES
from stinger.paths import recordings_dir
from stinger.recording_name import stem_time
from stinger.sample import SAMPLE_BYTES, SAMPLE_RATE_HZ
from stinger.wording import counted

_MIN_BYTES: Final = WINDOW_SAMPLES * SAMPLE_BYTES
"""A shorter recording has no room for a window."""
_BYTES_PER_HOUR: Final = 3600 * SAMPLE_RATE_HZ * SAMPLE_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSession:
    """One session, and the file that it is from."""

    session: Session
    path: str
    """Path of the file; relative to the data folder if it is in it."""
    sha256: str
    """Hash of the file."""
    marks: tuple[Marks, ...] = ()
    """Marks of the file, as :attr:`stinger.logs.Log.marks`."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """All sessions to train and compare on: recordings first, the oldest first, then the logs given by the user."""

    items: tuple[TrainingSession, ...]
    warnings: tuple[str, ...]
    """One line for each file that was left out or repaired, or that is still being written."""

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The sessions, in the order of :attr:`items`."""
        return tuple(item.session for item in self.items)


def read_training_data(
    data_dir: Path, logs: Sequence[str], *, max_hours: float, min_shot_gap_ms: float, bar: ProgressBar
) -> TrainingData:
    """Read the daemon's recordings below ``data_dir``, the newest up to ``max_hours``, and the files ``logs``.

    Of a recording that is still being written, the samples that it holds now are read. A damaged recording is left out;
    for a damaged or missing file of ``logs``, :class:`FileError` is raised. Samples that are in several sessions, such as
    those of a recording and of a log that was pulled, are kept in one of them.
    """
    warnings: list[str] = []
    recordings = _choose_recordings(recordings_dir(data_dir), max_hours, warnings)
    opened = list(_read_logs([*recordings, *map(Path, logs)], recordings, warnings, bar).values())
    sessions_of_logs = open_sessions_of_logs(
        opened, min_shot_gap_ms=min_shot_gap_ms, names=[_name(Path(log.path), recordings) for log in opened]
    )
    items: list[TrainingSession] = []
    for log, sessions in zip(opened, sessions_of_logs, strict=True):
        path = _relative(log.path, data_dir)
        warnings += [f"{path}: {message}" for message in (*log.repairs.messages(), *log.marked_texts())]
        for session in sessions:
            reason = _unusable(session)
            if reason is None:
                items.append(TrainingSession(session, path, log.sha256, log.marks))
            else:
                warnings.append(f"left out: {session.name}: {reason}")
    distinct = without_repeats([item.session for item in items])
    return TrainingData(
        tuple(
            replace(items[position], session=session)
            for position, session in zip(distinct.positions, distinct.sessions, strict=True)
        ),
        (*warnings, *distinct.warnings),
    )


def _choose_recordings(folder: Path, max_hours: float, warnings: list[str]) -> dict[Path, str]:
    """Return the device of each recording to read, the oldest first: as many of the newest as fit into ``max_hours``."""
    stored = [one for one in read_store(folder).recordings if one.samples_bytes >= _MIN_BYTES]
    still_open = sum(one.sidecar is not None and not one.closed for one in stored)
    if still_open:
        verb, pronoun = ("is", "it") if still_open == 1 else ("are", "they")
        warnings.append(
            f"{counted(still_open, 'recording')} {verb} still being written: "
            f"only the samples that {pronoun} had by now were read"
        )
    stored.sort(key=lambda one: (one.path.stem, one.path), reverse=True)  # the name begins with the time
    chosen: dict[Path, str] = {}
    room = max_hours * _BYTES_PER_HOUR
    for one in stored:
        if one.samples_bytes > room:
            break
        room -= one.samples_bytes
        chosen[one.path] = one.device
    if len(chosen) < len(stored):
        left_out = counted(len(stored) - len(chosen), "recording")
        warnings.append(f"left out: {left_out}, the oldest, beyond {max_hours:g} hours")
    return dict(reversed(chosen.items()))


def _read_logs(
    paths: Sequence[Path], recordings: Collection[Path], warnings: list[str], bar: ProgressBar
) -> dict[str, Log]:
    """Return the logs at ``paths`` by the hashes of their files; a damaged one of ``recordings`` is left out."""
    logs: dict[str, Log] = {}
    with bar("Reading", len(paths)) as progress:
        for path in paths:
            try:
                log = _read_marked(path, recordings, warnings)
            except FileError as error:
                if path not in recordings:
                    raise
                warnings.append(f"left out: {error}")
            else:
                same = logs.setdefault(log.sha256, log)
                if same.marks != log.marks:
                    logs[log.sha256] = same.with_marks_of(log)
            progress(1)
    return logs


def _read_marked(path: Path, recordings: Collection[Path], warnings: list[str]) -> Log:
    """Read a log with its marks. The marks of one of ``recordings`` whose sidecar is damaged are not known: it is used."""
    log = read_log(path)
    try:
        return with_marks(log)
    except FileError as error:
        # A power cut can leave a damaged sidecar of a recording that had just begun. One with marks is forced to the disk.
        if path not in recordings:
            raise
        warnings.append(f"{error}. Until then, all of this recording is used.")
        return log


def _name(path: Path, devices: Mapping[Path, str]) -> str:
    """Return a name for people: device and start of a recording, else the name of the file."""
    started = stem_time(path.stem) if path in devices else None
    return path.stem if started is None else f"{devices[path]} {started:%Y-%m-%d %H:%M:%S}"


def _relative(path: str, data_dir: Path) -> str:
    absolute = Path(path).absolute()
    try:
        return absolute.relative_to(data_dir.absolute()).as_posix()
    except ValueError:
        return str(absolute)


def _unusable(session: Session) -> str | None:
    """Return why ``session`` can be used neither for training nor for testing; None if it can."""
    recording = session.recording
    if recording.rate.problem is None and span_of(recording).window_samples == WINDOW_SAMPLES:
        return None
    return f"it has {recording.rate.problem}"
