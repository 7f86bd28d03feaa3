"""The logs that a command is to read: files on this machine, and files or folders in shared storage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from models.storage.cache import DownloadCache
from models.storage.folder import StorageFolder
from models.storage.shared_recordings import fetch_recordings, list_shared_files, written_in_part
from models.task_runner import ProgressBar
from stinger.errors import FileError
from stinger.logs import Log, read_marked_log
from stinger.logs.reading import CAPTURE_EVERY, CAPTURE_RATE_HZ
from stinger.mlmd import WINDOW_SAMPLES
from stinger.recording_name import RECORDING_SUFFIX, SIDECAR_SUFFIX
from stinger.sample import SAMPLE_BYTES
from stinger.storage_url import StorageUrl, is_storage_url, parse_storage_url
from stinger.wording import counted

MIN_BYTES: Final = WINDOW_SAMPLES * SAMPLE_BYTES
"""A shorter recording has no room for a window."""


def read_logs(
    texts: Sequence[str],
    *,
    bar: ProgressBar,
    warn: Callable[[str], object],
    rate_hz: float = CAPTURE_RATE_HZ,
    every: int = CAPTURE_EVERY,
) -> list[Log]:
    """Read the logs that ``texts`` name: paths, and URLs of files or folders in shared storage, such as s3://.

    Of a folder, these are all recordings below it, and all logs that a person has put there. They are downloaded,
    unless there is a copy already. ``warn`` is called with a line for each recording in a folder that is left out: one
    that is damaged, incomplete, too short or not at 100 Hz. Raises :class:`~stinger.errors.StingerError` for anything
    else that cannot be read, and for a folder without recordings.
    """
    files = find_logs(texts, bar, warn)
    logs = []
    with bar("Reading", len(files)) as progress:
        for file in files:
            log = _read(file, warn, rate_hz=rate_hz, every=every)
            if log is not None:
                logs.append(log)
            progress(1)
    return logs


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log to read."""

    path: str
    """A file on this machine."""
    name: str
    """What messages call it: its URL, or the path."""
    of_folder: bool = False
    """Whether it was found in a folder, and is left out if it cannot be used."""

    def named(self, error: FileError) -> FileError:
        """Return ``error``, which reading the file raised, with the name that messages use."""
        return FileError(self.name, error.problem, place=error.place) if error.path == self.path else error


def find_logs(texts: Sequence[str], bar: ProgressBar, warn: Callable[[str], object]) -> list[LogFile]:
    """Return the logs that ``texts`` name, downloaded where they are in shared storage; see :func:`read_logs`."""
    logs: list[LogFile] = []
    for text in texts:
        if is_storage_url(text):
            logs += _shared_logs(parse_storage_url(text), bar, warn)
        else:
            logs.append(LogFile(text, text))
    return logs


def _read(file: LogFile, warn: Callable[[str], object], *, rate_hz: float, every: int) -> Log | None:
    """Read ``file`` with its marks; return None if it is left out."""
    try:
        log = read_marked_log(file.path, rate_hz=rate_hz, every=every)
    except FileError as error:
        if not file.of_folder:
            raise file.named(error) from error
        warn(f"left out: {file.named(error)}")
        return None
    problem = next((one.rate.problem for one in log.recordings if one.rate.problem is not None), None)
    if file.of_folder and problem is not None:
        warn(f"left out: {file.name}: has {problem}")
        return None
    return replace(log, path=file.name)


def _shared_logs(url: StorageUrl, bar: ProgressBar, warn: Callable[[str], object]) -> list[LogFile]:
    folder = StorageFolder(url)
    files = list_shared_files(folder)
    for line in files.warnings():
        warn(f"{url}: {line}")
    if not files.recordings and not files.logs:
        return [_single(url, bar, incomplete=files.incomplete > 0)]
    long_enough = [one for one in files.recordings if one.samples.size >= MIN_BYTES]
    if len(long_enough) < len(files.recordings):
        short = counted(len(files.recordings) - len(long_enough), "recording")
        warn(f"{url}: left out: {short} of less than half a second")
    fetched = fetch_recordings(folder, long_enough, bar, warn)
    found = [LogFile(str(path), (url / one.samples.name).text, of_folder=True) for path, one in fetched.items()]
    copies = DownloadCache().fetch(folder, files.logs, bar)
    return found + [
        LogFile(str(path), (url / one.name).text, of_folder=True) for path, one in zip(copies, files.logs, strict=True)
    ]


def _single(url: StorageUrl, bar: ProgressBar, *, incomplete: bool) -> LogFile:
    """Return the log ``url``, a file. Its sidecar, if it has one, is copied as well."""
    found = None
    if not incomplete and "/" in url.path.strip("/"):
        folder = StorageFolder(url.parent)
        found = folder.find(url.name)
    if found is None:
        raise FileError(url.text, "there are no recordings")
    sidecar = (
        folder.find(f"{url.name.removesuffix(RECORDING_SUFFIX)}{SIDECAR_SUFFIX}")
        if url.name.endswith(RECORDING_SUFFIX)
        else None
    )
    wanted = [found] if sidecar is None else [found, sidecar]
    copy = DownloadCache().fetch(folder, wanted, bar)[0]
    problem = "" if sidecar is None else written_in_part(copy)
    if problem:
        raise FileError(url.text, problem)
    return LogFile(str(copy), url.text)
