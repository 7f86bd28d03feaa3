"""What there is to learn from: the recordings that a daemon kept, and logs that were named."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.model_meta import serves_rate
from models.provenance import beginning_of
from models.sessions import Session, open_sessions
from models.task_runner import ProgressBar
from models.windows import span_of
from service.recording.store import read_store, recorded_device, stem_time
from stinger.errors import FileError
from stinger.logs import Log, read_log
from stinger.mlmd import WINDOW_SAMPLES
from stinger.paths import recordings_dir
from stinger.sample import SAMPLE_BYTES, SAMPLE_RATE_HZ
from stinger.wording import counted

_SHORTEST_BYTES: Final = WINDOW_SAMPLES * SAMPLE_BYTES
"""In less there is no window before a shot."""
_BYTES_AN_HOUR: Final = 3600 * SAMPLE_RATE_HZ * SAMPLE_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One session to learn from, and the file that holds it. ``path`` is relative to the data folder where it is in it."""

    session: Session
    path: str
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Everything to learn from, oldest first, named logs last; ``remarks`` say what was left out and repaired, a line each."""

    sources: tuple[Source, ...]
    remarks: tuple[str, ...]

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The sessions, in the order of ``sources``."""
        return tuple(source.session for source in self.sources)


def gather(
    data_dir: Path, named: Sequence[str], *, max_hours: float, min_shot_gap_ms: float, bar: ProgressBar
) -> Gathered:
    """Read the recordings below ``data_dir`` and the logs ``named``.

    Of a recording that is still being written, what it holds by now counts. One that is damaged is left out; of a named
    log that is damaged or missing :class:`FileError` is raised. Of several that begin alike, such as a log that was pulled
    twice, the longest counts.
    """
    remarks: list[str] = []
    kept = _kept(recordings_dir(data_dir), max_hours, remarks)
    paths = [*kept, *map(Path, named)]
    logs: dict[str, Log] = {}
    with bar("Reading", len(paths)) as progress:
        for path in paths:
            try:
                log = read_log(path)
            except FileError as error:
                if path not in kept:
                    raise
                remarks.append(f"left out: {error}")
            else:
                logs.setdefault(log.sha256, log)
            progress(1)
    whole = list(logs.values())
    sessions = open_sessions(
        whole, min_shot_gap_ms=min_shot_gap_ms, names=[_name(Path(log.path), kept) for log in whole]
    )
    position = 0
    sources: list[Source] = []
    for log in whole:
        shown = _shown(log.path, data_dir)
        remarks += [f"{shown}: {message}" for message in log.repairs.messages()]
        for session in sessions[position : position + len(log.recordings)]:
            reason = _unfit(session)
            if reason is None:
                sources.append(Source(session, shown, log.sha256))
            else:
                remarks.append(f"left out: {session.name}: {reason}")
        position += len(log.recordings)
    return Gathered(tuple(_without_copies(sources, remarks)), tuple(remarks))


def _kept(folder: Path, max_hours: float, remarks: list[str]) -> list[Path]:
    """Return the recordings of the daemon, oldest first: as many of the newest as fit into ``max_hours``."""
    stored = [one for one in read_store(folder).recordings if one.samples_bytes >= _SHORTEST_BYTES]
    still_open = sum(one.sidecar is not None and not one.closed for one in stored)
    if still_open:
        verb, what = ("is", "it holds") if still_open == 1 else ("are", "they hold")
        remarks.append(f"{counted(still_open, 'recording')} {verb} still being written: what {what} by now counts")
    stored.sort(key=lambda one: (one.path.stem, one.path), reverse=True)  # the name begins with the time
    kept: list[Path] = []
    room = max_hours * _BYTES_AN_HOUR
    for one in stored:
        if one.samples_bytes > room:
            break
        room -= one.samples_bytes
        kept.append(one.path)
    if len(kept) < len(stored):
        left_out = counted(len(stored) - len(kept), "recording")
        remarks.append(f"left out: {left_out}, the oldest, beyond {max_hours:g} hours")
    return kept[::-1]


def _name(path: Path, kept: Collection[Path]) -> str:
    """Return a name for people: device and start of a recording, else the name of the file."""
    started = stem_time(path.stem) if path in kept else None
    return path.stem if started is None else f"{recorded_device(path.parent)} {started:%Y-%m-%d %H:%M:%S}"


def _shown(path: str, data_dir: Path) -> str:
    absolute = Path(path).absolute()
    try:
        return absolute.relative_to(data_dir.absolute()).as_posix()
    except ValueError:
        return str(absolute)


def _unfit(session: Session) -> str | None:
    """Why nothing can be learnt from ``session`` and nothing tested on it; ``None`` if it can."""
    recording = session.recording
    if recording.rate_hz is None:
        return "its time does not advance"
    if not serves_rate(recording.rate_hz) or span_of(recording).window_samples != WINDOW_SAMPLES:
        return f"it has {recording.rate_hz:g} samples a second; models take {SAMPLE_RATE_HZ}"
    return None


def _without_copies(sources: Sequence[Source], remarks: list[str]) -> list[Source]:
    longest: dict[str, Source] = {}
    for source in sources:
        beginning = beginning_of(source.session.recording)
        other = longest.get(beginning)
        if other is None:
            longest[beginning] = source
            continue
        shorter, longer = sorted((source, other), key=lambda one: len(one.session.recording))
        longest[beginning] = longer
        remarks.append(f"left out: {shorter.session.name} is the beginning of {longer.session.name}")
    return list(longest.values())
