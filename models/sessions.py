"""Sessions: the recordings of one or several logs, each with a unique name and its shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.names import stems, unused
from stinger.errors import FileError
from stinger.logs import Log
from stinger.marks import Marks
from stinger.mlmd import WINDOW_SAMPLES
from stinger.recording import GAP_STEPS, Recording
from stinger.shots import MIN_SHOT_GAP_MS, Shots, find_shots


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One recording of a set of recordings, with a name that is unique in the set and its shots.

    ``first_shot_num`` is the number of its first accepted shot: accepted shots are numbered from 0 over the whole set,
    in the order of its sessions. ``readings`` ``(m, 6)`` are those at the sensor's full rate, if its file holds more
    than the samples. ``left_out`` are the readings ``(m, 6)`` of each stretch that a person left out: they are not in
    the recording, and are known so that copies of them in other sessions are left out as well.
    """

    name: str
    recording: Recording
    shots: Shots
    first_shot_num: int
    readings: npt.NDArray[np.int16] | None = None
    left_out: tuple[npt.NDArray[np.int16], ...] = ()

    @property
    def accepted_shots(self) -> int:
        """Number of accepted shots."""
        return int(self.shots.accepted.sum())


def open_sessions(
    logs: Sequence[Log], *, min_shot_gap_ms: float = MIN_SHOT_GAP_MS, names: Sequence[str] | None = None
) -> tuple[Session, ...]:
    """Return the sessions of ``logs`` in their order, as :func:`open_sessions_of_logs` does, without the division by log."""
    return tuple(
        session
        for sessions in open_sessions_of_logs(logs, min_shot_gap_ms=min_shot_gap_ms, names=names)
        for session in sessions
    )


def open_sessions_of_logs(
    logs: Sequence[Log], *, min_shot_gap_ms: float = MIN_SHOT_GAP_MS, names: Sequence[str] | None = None
) -> tuple[tuple[Session, ...], ...]:
    """Return the sessions of each of ``logs``, one for each boot, without what a person marked as left out.

    A session is named by its log's entry in ``names``, or by the name of its file without the suffix, preceded by the
    name of the folder where several files have the same name. Further boots in a file get ``#2``, ``#3`` after it. A
    boot that is left out as a whole has no session. Raises :class:`FileError` for a file that is given twice. Copies in
    different files are for :func:`models.repeats.without_repeats` to find.
    """
    _refuse_same_file(logs)
    of_logs: list[tuple[Session, ...]] = []
    taken: set[str] = set()
    shot_num = 0
    for log, stem in zip(logs, stems([log.path for log in logs]) if names is None else names, strict=True):
        sessions: list[Session] = []
        for position, recording in enumerate(log.recordings):
            name = unused(stem if not position else f"{stem}#{position + 1}", taken)
            taken.add(name)
            marks = log.marks_of(position)
            shots = find_shots(recording, min_shot_gap_ms=min_shot_gap_ms, marks=marks)
            whole = Session(name, recording, shots, first_shot_num=shot_num, readings=log.readings)
            session = _without_left_out(whole, marks)
            if session is not None:
                sessions.append(session)
                shot_num += session.accepted_shots
        of_logs.append(tuple(sessions))
    return tuple(of_logs)


def cut_session(session: Session, remaining: npt.NDArray[np.bool_]) -> Session:
    """Return ``session`` with its ``remaining`` samples ``(n,)`` only, at least one.

    Its shots stay accepted or rejected.

    Readings at the sensor's full rate are not kept.
    """
    recording, shots = session.recording, session.shots
    kept = remaining[shots.index]
    return replace(
        session,
        recording=Recording(recording.samples[remaining], recording.time_ms[remaining], recording.rate),
        shots=shots.take(kept, np.cumsum(remaining)[shots.index[kept]] - 1),
        readings=None,
    )


def check_rates(log: Log, sessions: Sequence[Session]) -> None:
    """Raise :class:`FileError` if one of ``sessions``, those of ``log``, has a sample rate that no model takes.

    Sessions whose time does not advance have no rate and are not checked; nor are those too short for a window.
    """
    for session in sessions:
        recording = session.recording
        if recording.rate_hz is not None and len(recording) >= WINDOW_SAMPLES and recording.rate.problem is not None:
            raise FileError(log.path, f"has {recording.rate.problem}")


def _refuse_same_file(logs: Sequence[Log]) -> None:
    seen = set()
    for log in logs:
        path = Path(log.path).absolute()
        if path in seen:
            raise FileError(log.path, "is given twice, with the same content: give each log once")
        seen.add(path)


def _without_left_out(session: Session, marks: Marks) -> Session | None:
    """Return ``session`` without the stretches that ``marks`` leave out; ``None`` if nothing remains.

    Where a stretch was, there is a gap, so that no window reaches across it.
    """
    if not marks.left_out:
        return session
    recording = session.recording
    after_ms = recording.time_ms - recording.time_ms[0]
    shortest_ms = (GAP_STEPS + 1) * (recording.step_ms or 0.0)
    edges = [
        (
            int(np.searchsorted(after_ms, from_ms)),
            int(np.searchsorted(after_ms, max(to_ms, from_ms + shortest_ms), "right")),
        )
        for from_ms, to_ms in marks.left_out
    ]
    remaining = np.ones(len(recording), dtype=np.bool_)
    for start, stop in edges:
        remaining[start:stop] = False
    if not remaining.any():
        return None
    if remaining.all():
        return session
    left_out = tuple(recording.axes[start:stop] for start, stop in edges if start < stop)
    return replace(cut_session(session, remaining), left_out=left_out)
