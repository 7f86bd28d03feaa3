"""Sessions: the recordings of one or several logs, each with a unique name and its shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.names import stems, unused
from stinger.errors import FileError
from stinger.logs import Log
from stinger.mlmd import WINDOW_SAMPLES
from stinger.recording import Recording
from stinger.shots import MIN_SHOT_GAP_MS, Shots, find_shots


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One recording of a set of recordings, with a name that is unique in the set and its shots.

    ``first_shot_num`` is the number of its first accepted shot: accepted shots are numbered from 0 over the whole set, in
    the order of its sessions.
    """

    name: str
    recording: Recording
    shots: Shots
    first_shot_num: int

    @property
    def accepted_shots(self) -> int:
        """Number of accepted shots."""
        return int(self.shots.accepted.sum())


def open_sessions(
    logs: Sequence[Log], *, min_shot_gap_ms: float = MIN_SHOT_GAP_MS, names: Sequence[str] | None = None
) -> tuple[Session, ...]:
    """Return the sessions of ``logs`` in their order, one for each boot.

    A session is named by its log's entry in ``names``, or by the name of its file without the suffix, preceded by the
    name of the folder where several files have the same name. Further boots in a file get ``#2``, ``#3`` after it. Raises
    :class:`FileError` if two logs have the same bytes: the copy would be on both sides of every split.
    """
    _refuse_copies(logs)
    sessions: list[Session] = []
    taken: set[str] = set()
    shot_num = 0
    for log, stem in zip(logs, stems([log.path for log in logs]) if names is None else names, strict=True):
        for boot, recording in enumerate(log.recordings, start=1):
            name = unused(stem if boot == 1 else f"{stem}#{boot}", taken)
            taken.add(name)
            shots = find_shots(recording, min_shot_gap_ms=min_shot_gap_ms)
            session = Session(name=name, recording=recording, shots=shots, first_shot_num=shot_num)
            sessions.append(session)
            shot_num += session.accepted_shots
    return tuple(sessions)


def check_rates(log: Log, sessions: Sequence[Session]) -> None:
    """Raise :class:`FileError` if one of ``sessions``, those of ``log``, has a sample rate that no model takes.

    Sessions whose time does not advance have no rate and are not checked; nor are those too short for a window.
    """
    for session in sessions:
        recording = session.recording
        if recording.rate_hz is not None and len(recording) >= WINDOW_SAMPLES and recording.rate.problem is not None:
            raise FileError(log.path, f"has {recording.rate.problem}")


def _refuse_copies(logs: Sequence[Log]) -> None:
    seen: dict[str, str] = {}
    for log in logs:
        if log.sha256 in seen:
            raise FileError(log.path, f"has the same content as {seen[log.sha256]}: give each log once")
        seen[log.sha256] = log.path
