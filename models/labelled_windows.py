"""Windows of sessions as rows of a training set, each with its origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from models.dataset import Rows
from models.sessions import Session
from models.windows import Indices, Span, span_of, windows_at
from stinger.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class LabelledWindows:
    """``windows`` ``(n, w, 6) int16`` and the origin of each."""

    windows: npt.NDArray[np.int16]
    rows: Rows


@dataclass(frozen=True, slots=True)
class UsableSessions:
    """The sessions that are long enough for a window with its lead, with the span of each, and those that are not."""

    sessions: tuple[Session, ...]
    spans: tuple[Span, ...]
    too_short: tuple[Session, ...]


def usable_sessions(sessions: Sequence[Session], *, lead_ms: float, window_ms: float) -> UsableSessions:
    """Find the sessions that are long enough. Raises :class:`InputError` if their windows differ in samples."""
    usable, spans, too_short = [], [], []
    for session in sessions:
        recording = session.recording
        span = None if recording.step_ms is None else span_of(recording, lead_ms=lead_ms, window_ms=window_ms)
        if span is None or len(recording) <= span.total:
            too_short.append(session)
        else:
            usable.append(session)
            spans.append(span)
    for session, span in zip(usable, spans, strict=True):
        if span.window_samples != spans[0].window_samples:
            raise InputError(
                f"{session.name} has {span.window_samples} samples in {window_ms:g} ms, {usable[0].name} has "
                f"{spans[0].window_samples}: all recordings of a training set must have the same rate"
            )
    return UsableSessions(tuple(usable), tuple(spans), tuple(too_short))


def labelled_windows(
    session: Session, ends: Indices, window_samples: int, *, event_ms: npt.NDArray[np.int64], shots: Indices
) -> LabelledWindows:
    """Return the windows at ``ends`` ``(n,)`` with their origins.

    ``event_ms`` ``(n,)`` is the time of each row's event; ``shots`` ``(n,)`` number the accepted shots of ``session``,
    -1 for none.
    """
    time_ms = session.recording.time_ms
    shot_ms = np.append(accepted_ms(session), 0)[shots]
    known = shots >= 0
    return LabelledWindows(
        windows=windows_at(session.recording.axes, ends, window_samples),
        rows=Rows(
            shot_num=np.where(known, shots + session.first_shot_num, -1),
            shot_timestamp_ms=shot_ms,
            distance_to_shot_ms=np.where(known, event_ms - shot_ms, 0),
            event_timestamp_ms=event_ms,
            window_start_ms=time_ms[ends - window_samples],
            window_end_ms=time_ms[ends - 1],
            session=np.full(ends.shape, session.name),
        ),
    )


def join_windows(parts: Sequence[LabelledWindows]) -> LabelledWindows:
    """Return the rows of ``parts``, at least one, one part after another."""
    columns = {field.name: np.concatenate([getattr(part.rows, field.name) for part in parts]) for field in fields(Rows)}
    return LabelledWindows(np.concatenate([part.windows for part in parts]), Rows(**columns))


def accepted_ms(session: Session) -> npt.NDArray[np.int64]:
    """Return the times of the accepted shots of ``session``."""
    return session.shots.time_ms[session.shots.accepted]


def nearest_shots(shot_ms: npt.NDArray[np.int64], time_ms: npt.NDArray[np.int64]) -> Indices:
    """Return for each time the index of the nearest shot; -1 if there is none.

    Of two at equal distance it is the earlier one.
    """
    if not shot_ms.size:
        return np.full(time_ms.shape, -1, dtype=np.intp)
    after = np.clip(np.searchsorted(shot_ms, time_ms), 0, shot_ms.size - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(time_ms - shot_ms[before]) <= np.abs(shot_ms[after] - time_ms), before, after)
