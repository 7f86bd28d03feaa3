"""The data of an evaluation: the checked sessions of logs, and a description of each log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.repeats import without_repeats
from models.sessions import Session, check_rates, open_sessions_of_logs
from replay.evaluation.report import DataFile
from stinger.logs import Log
from stinger.shots import MIN_SHOT_GAP_MS


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationData:
    """The sessions to evaluate, their logs, the sessions of each log, and a description of each log.

    ``warnings`` are a line for each session that was left out or changed.
    """

    sessions: tuple[Session, ...]
    logs: tuple[Log, ...]
    sessions_of_logs: tuple[tuple[Session, ...], ...]
    files: tuple[DataFile, ...]
    warnings: tuple[str, ...] = ()


def evaluation_data(
    logs: Sequence[Log], *, min_shot_gap_ms: float = MIN_SHOT_GAP_MS, warn: Callable[[str], object]
) -> EvaluationData:
    """Open the sessions of ``logs``; ``warn`` is called with each of the warnings, before a log can be refused.

    Sessions too short to have a rate are left out, and samples that are in several sessions are kept in one of them.
    Raises :class:`~stinger.errors.FileError` for a log that is not at 100 Hz.
    """
    of_logs = open_sessions_of_logs(logs, min_shot_gap_ms=min_shot_gap_ms)
    everything = [session for sessions in of_logs for session in sessions]
    log_of = [number for number, sessions in enumerate(of_logs) for _ in sessions]
    warnings = [
        f"{session.name}: left out, because its time does not advance"
        for session in everything
        if session.recording.rate_hz is None
    ]
    for line in warnings:
        warn(line)
    for log, own in zip(logs, of_logs, strict=True):
        check_rates(log, own)
    timed = [position for position, session in enumerate(everything) if session.recording.rate_hz is not None]
    distinct = without_repeats([everything[position] for position in timed])
    for line in distinct.warnings:
        warn(line)
    own_sessions: list[list[Session]] = [[] for _ in logs]
    for position, session in zip(distinct.positions, distinct.sessions, strict=True):
        own_sessions[log_of[timed[position]]].append(session)
    return EvaluationData(
        sessions=distinct.sessions,
        logs=tuple(logs),
        sessions_of_logs=tuple(map(tuple, own_sessions)),
        files=tuple(_describe(log, own) for log, own in zip(logs, own_sessions, strict=True)),
        warnings=(*warnings, *distinct.warnings),
    )


def _describe(log: Log, sessions: Sequence[Session]) -> DataFile:
    recorded_ms = sum(session.recording.recorded_ms for session in sessions)
    return DataFile(
        path=log.path,
        sha256=log.sha256,
        minutes=recorded_ms / 60_000,
        recordings=len(sessions),
        accepted_shots=sum(session.accepted_shots for session in sessions),
        shots=sum(session.shots.count for session in sessions),
    )
