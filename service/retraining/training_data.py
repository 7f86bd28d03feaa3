"""The data that models are trained and compared on: the daemon's recordings, and the logs given by the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from models.repeats import without_repeats
from models.sessions import Session, open_sessions_of_logs
from models.storage.folder import StorageFolder
from models.storage.logs import MIN_BYTES, LogFile, find_logs
from models.storage.shared_recordings import fetch_recordings, list_shared_files
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
from stinger.storage_url import StorageUrl, is_storage_url
from stinger.wording import counted

_BYTES_PER_HOUR: Final = 3600 * SAMPLE_RATE_HZ * SAMPLE_BYTES

Stored = TypeVar("Stored")


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSession:
    """One session, and the file that it is from."""

    session: Session
    path: str
    """Path of the file, relative to the data folder if it is in it; its URL if it is in shared storage."""
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
    data_dir: Path,
    logs: Sequence[str],
    *,
    max_hours: float,
    min_shot_gap_ms: float,
    bar: ProgressBar,
    shared: StorageUrl | None = None,
) -> TrainingData:
    """Read the daemon's recordings below ``data_dir``, the newest up to ``max_hours``, and the files ``logs``.

    With ``shared``, the recordings of all daemons in that folder of shared storage are read instead of those below
    ``data_dir``. Of a recording that is still being written, the samples that it holds now are read. A damaged
    recording is left out; for a damaged or missing file of ``logs``, :class:`FileError` is raised. Samples that are in
    several sessions, such as those of a recording and of a log that was pulled, are kept in one of them.
    """
    warnings: list[str] = []
    if shared is None:
        recordings = _local_recordings(recordings_dir(data_dir), max_hours, warnings)
        files = [LogFile(str(path), str(path), of_folder=True) for path in recordings]
    else:
        urls, recordings = _shared_recordings(shared, max_hours, warnings, bar)
        files = [LogFile(str(path), url, of_folder=True) for path, url in urls.items()]
    files += find_logs(logs, bar, warnings.append)
    opened = list(_read_logs(files, warnings, bar).values())
    shown = {file.path: file.name for file in files}
    sessions_of_logs = open_sessions_of_logs(
        opened, min_shot_gap_ms=min_shot_gap_ms, names=[_name(Path(log.path), recordings) for log in opened]
    )
    items: list[TrainingSession] = []
    for log, sessions in zip(opened, sessions_of_logs, strict=True):
        path = shown[log.path] if is_storage_url(shown[log.path]) else _relative(log.path, data_dir)
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


def _local_recordings(folder: Path, max_hours: float, warnings: list[str]) -> dict[Path, str]:
    """Return the device of each recording below ``folder`` to read, the oldest first."""
    stored = [one for one in read_store(folder).recordings if one.samples_bytes >= MIN_BYTES]
    still_open = sum(one.sidecar is not None and not one.closed for one in stored)
    if still_open:
        warnings.append(f"still being written, so read up to its present end: {counted(still_open, 'recording')}")
    stored.sort(key=lambda one: (one.path.stem, one.path))  # the name begins with the time
    newest = _newest(stored, lambda one: one.samples_bytes, max_hours, warnings)
    return {one.path: one.device for one in newest}


def _shared_recordings(
    url: StorageUrl, max_hours: float, warnings: list[str], bar: ProgressBar
) -> tuple[dict[Path, str], dict[Path, str]]:
    """Return URL and device of each recording in shared storage to read, by their local copies, the oldest first."""
    folder = StorageFolder(url)
    files = list_shared_files(folder)
    warnings += files.warnings()
    stored = [one for one in files.recordings if one.samples.size >= MIN_BYTES]
    stored.sort(key=lambda one: (one.stem, one.samples.name))
    newest = _newest(stored, lambda one: one.samples.size, max_hours, warnings)
    fetched = fetch_recordings(folder, newest, bar, warnings.append)
    urls = {path: (url / one.samples.name).text for path, one in fetched.items()}
    return urls, {path: one.device for path, one in fetched.items()}


def _newest(
    stored: Sequence[Stored], size: Callable[[Stored], int], max_hours: float, warnings: list[str]
) -> list[Stored]:
    """Return as many of ``stored``, whose newest are at the end, as fit into ``max_hours``; ``size`` is in bytes."""
    room = max_hours * _BYTES_PER_HOUR
    first = len(stored)
    while first and size(stored[first - 1]) <= room:
        first -= 1
        room -= size(stored[first])
    if first:
        warnings.append(f"left out: {counted(first, 'recording')}, the oldest, beyond {max_hours:g} hours")
    return list(stored[first:])


def _read_logs(files: Sequence[LogFile], warnings: list[str], bar: ProgressBar) -> dict[str, Log]:
    """Return the logs ``files`` by the hashes of their content.

    A damaged one that was found in a folder is left out.
    """
    logs: dict[str, Log] = {}
    with bar("Reading", len(files)) as progress:
        for file in files:
            try:
                log = _read_marked(file, warnings)
            except FileError as error:
                if not file.of_folder:
                    raise file.named(error) from error
                warnings.append(f"left out: {file.named(error)}")
            else:
                same = logs.setdefault(log.sha256, log)
                if same.marks != log.marks:
                    logs[log.sha256] = same.with_marks_of(log)
            progress(1)
    return logs


def _read_marked(file: LogFile, warnings: list[str]) -> Log:
    """Read a log with its marks. The marks of a recording in a folder whose sidecar is damaged are not known: it is used."""
    log = read_log(file.path)
    try:
        return with_marks(log)
    except FileError as error:
        # A power cut can leave a damaged sidecar of a recording that had just begun. One with marks is forced to the
        # disk.
        if not file.of_folder:
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
