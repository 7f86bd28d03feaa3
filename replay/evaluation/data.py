"""The data of an evaluation: the checked sessions of logs, and a description of each log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.sessions import Session, check_rates, open_sessions
from replay.evaluation.report import DataFile
from stinger.logs import Log
from stinger.shots import MIN_SHOT_GAP_MS


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationData:
    """The sessions to evaluate, their logs, and a description of each log."""

    sessions: tuple[Session, ...]
    logs: tuple[Log, ...]
    files: tuple[DataFile, ...]


def evaluation_data(
    logs: Sequence[Log], *, min_shot_gap_ms: float = MIN_SHOT_GAP_MS, warn: Callable[[str], object]
) -> EvaluationData:
    """Open the sessions of ``logs``, without those too short to have a rate; ``warn`` is called with a line for each.

    Raises :class:`~stinger.errors.FileError` for a log that is not at 100 Hz.
    """
    everything = open_sessions(logs, min_shot_gap_ms=min_shot_gap_ms)
    for session in everything:
        if session.recording.rate_hz is None:
            warn(f"{session.name}: left out, because its time does not advance")
    files = []
    position = 0
    for log in logs:
        own = everything[position : position + len(log.recordings)]
        position += len(own)
        check_rates(log, own)
        files.append(_describe(log, own))
    sessions = tuple(session for session in everything if session.recording.rate_hz is not None)
    return EvaluationData(sessions, tuple(logs), tuple(files))


def _describe(log: Log, sessions: Sequence[Session]) -> DataFile:
    recorded_ms = sum(session.recording.recorded_ms for session in sessions)
    return DataFile(
        path=log.path,
        sha256=log.sha256,
        minutes=recorded_ms / 60_000,
        recordings=len(sessions),
        accepted_shots=sum(session.accepted_shots for session in sessions),
        shots=sum(len(session.shots) for session in sessions),
    )
