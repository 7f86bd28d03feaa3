"""Sessions: the recordings of one or several logs, each with a unique name and its shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

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
    the order of its sessions. ``readings`` ``(m, 6)`` are those at the sensor's full rate, if its file holds more than
    the samples.
    """

    name: str
    recording: Recording
    shots: Shots
    first_shot_num: int
    readings: npt.NDArray[np.int16] | None = None

    @property
    def accepted_shots(self) -> int:
        """Number of accepted shots."""
        return int(self.shots.accepted.sum())


def open_sessions(
    logs: Sequence[Log], *, min_shot_gap_ms: float = MIN_SHOT_GAP_MS, names: Sequence[str] | None = None
) -> tuple[Session, ...]:
    """Return the sessions of ``logs`` in their order, one for each boot.

    A session is named by its log's entry in ``names``, or by the name of its file without the suffix, preceded by the
    name of the folder where several files have the same name. Further boots in a file get ``#2``, ``#3`` after it.
    Raises :class:`FileError` for a file that is given twice. Copies in different files are for
    :func:`models.repeats.without_repeats` to find.
    """
    _refuse_same_file(logs)
    sessions: list[Session] = []
    taken: set[str] = set()
    shot_num = 0
    for log, stem in zip(logs, stems([log.path for log in logs]) if names is None else names, strict=True):
        for boot, recording in enumerate(log.recordings, start=1):
            name = unused(stem if boot == 1 else f"{stem}#{boot}", taken)
            taken.add(name)
            shots = find_shots(recording, min_shot_gap_ms=min_shot_gap_ms)
            session = Session(name, recording, shots, first_shot_num=shot_num, readings=log.readings)
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


def _refuse_same_file(logs: Sequence[Log]) -> None:
    seen = set()
    for log in logs:
        path = Path(log.path).absolute()
        if path in seen:
            raise FileError(log.path, "is given twice, with the same content: give each log once")
        seen.add(path)
