"""Sessions: the recordings of one or several logs, each with a name and its shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.model_meta import serves_rate
from models.names import stems, unused
from stinger.errors import FileError
from stinger.logs import Log
from stinger.recording import Recording
from stinger.sample import SAMPLE_RATE_HZ
from stinger.shots import MIN_SHOT_GAP_MS, Shots, find_shots


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One recording of a set, under a name that no other one of the set has.

    ``first_shot_num`` is the number of its first accepted shot: the accepted shots of a set are counted through, in the
    order of its sessions, from 0.
    """

    name: str
    recording: Recording
    shots: Shots
    first_shot_num: int

    @property
    def accepted_shots(self) -> int:
        """How many shots of this session count."""
        return int(self.shots.accepted.sum())


def open_sessions(
    logs: Sequence[Log], *, min_shot_gap_ms: float = MIN_SHOT_GAP_MS, names: Sequence[str] | None = None
) -> tuple[Session, ...]:
    """The sessions of ``logs``, in their order: one for each boot.

    A session has its log's name of ``names``, else the name of its file without the ending; where several files share
    it, the folder's name stands before it. Further boots in a file get ``#2``, ``#3`` behind it. Raises
    :class:`FileError` where two logs are the same bytes: the copy would stand on both sides of every split.
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

    Sessions whose time does not advance have no rate and are not checked.
    """
    for session in sessions:
        rate_hz = session.recording.rate_hz
        if rate_hz is not None and not serves_rate(rate_hz):
            raise FileError(log.path, f"has {rate_hz:g} samples a second; model and decision take {SAMPLE_RATE_HZ}")


def _refuse_copies(logs: Sequence[Log]) -> None:
    seen: dict[str, str] = {}
    for log in logs:
        if log.sha256 in seen:
            raise FileError(log.path, f"holds the same bytes as {seen[log.sha256]}: give each log once")
        seen[log.sha256] = log.path
