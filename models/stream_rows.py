"""Training rows from a stream: a row for each sample with a complete window, positive if a shot comes soon after it.

Windows chosen around shots (:mod:`models.export`) show a model few of the motions that it meets in a stream. Rows from
all of the stream show it the same as it will be measured and used on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.dataset import Dataset
from models.labelled_windows import (
    LabelledWindows,
    accepted_ms,
    join_windows,
    labelled_windows,
    nearest_shots,
    usable_sessions,
)
from models.sessions import Session
from models.windows import LEAD_MS, WINDOW_MS, Indices, followed_within, unbroken_before
from stinger.errors import InputError
from stinger.mlmd import WINDOW_SAMPLES
from stinger.sample import CHANNELS

HORIZON_MS: Final = 300
"""Latest time of a shot after a positive sample, in ms, as evaluations count it."""


class SampleLabel(IntEnum):
    """Whether a sample of a stream is a row of a training set."""

    NEGATIVE = 0
    POSITIVE = 1
    LEFT_OUT = 2


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Which samples of a stream form a training set; times in ms. Raises :class:`InputError` for invalid values.

    A sample is positive if an accepted shot comes ``lead_ms`` to ``horizon_ms`` after it. Left out are samples less
    than ``lead_ms`` before an accepted shot (too late to predict it, too early to be wrong), and those less than
    ``horizon_ms`` before or ``rejected_clear_ms`` after a rejected edge. All others are negative, also those right
    after a shot: its recoil must not start the wheels again. Every ``every``-th negative is used; if that makes more
    than about ``max_rows`` rows, fewer of both classes are. With ``hard_rounds``, estimators are fitted on a third of
    these negatives and on those that are hard to distinguish from positives (:mod:`models.hard_negatives`). With
    ``turned_deg``, each row is used once more, turned by a random angle of up to so many degrees about a random axis
    (:mod:`models.turning`). ``passes`` is how often an MLP is trained on each row. With ``distilled``, the blaster's
    MLP is fitted to the output of an ensemble that gets more features (:mod:`models.distillation`).
    """

    lead_ms: float = LEAD_MS
    horizon_ms: float = HORIZON_MS
    rejected_clear_ms: float = 300
    every: int = 5
    max_rows: int = 150_000
    hard_rounds: int = 0
    turned_deg: float = 0
    passes: int = 5
    distilled: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.lead_ms <= self.horizon_ms:
            raise InputError(
                f"a shot {self.lead_ms:g} to {self.horizon_ms:g} ms after a sample makes it positive: expected two times "
                "of 0 or more, the shorter first"
            )
        if self.hard_rounds < 0:
            raise InputError(f"{self.hard_rounds} rounds of hard negatives: expected 0 or more")
        if not 0 <= self.turned_deg <= 180:  # noqa: PLR2004
            raise InputError(f"rows turned by up to {self.turned_deg:g} degrees: expected 0 to 180")
        if self.every < 1 or self.max_rows < 2:  # noqa: PLR2004
            raise InputError(f"every {self.every}-th negative, at most {self.max_rows} rows: expected 1 and 2 or more")

    @property
    def window_ms(self) -> float:
        """Length of a window: the one that model files take."""
        return WINDOW_MS


@dataclass(frozen=True, slots=True)
class Thinning:
    """Every ``positives``-th positive and every ``negatives``-th negative sample of a recording becomes a row."""

    positives: int
    negatives: int


def label_samples(session: Session, window_samples: int, options: StreamOptions) -> npt.NDArray[np.uint8]:
    """Return the :class:`SampleLabel` ``(n,)`` of each of the n samples of ``session``."""
    recording = session.recording
    time_ms, shots = recording.time_ms, session.shots
    rejected_ms = shots.time_ms[~shots.accepted]
    labels = np.full(len(recording), SampleLabel.NEGATIVE, dtype=np.uint8)
    labels[followed_within(time_ms, rejected_ms, -options.rejected_clear_ms, options.horizon_ms)] = SampleLabel.LEFT_OUT
    labels[followed_within(time_ms, accepted_ms(session), 0, options.lead_ms)] = SampleLabel.LEFT_OUT
    ahead = followed_within(time_ms, accepted_ms(session), options.lead_ms, options.horizon_ms)
    labels[ahead] = SampleLabel.POSITIVE
    # The window of a sample ends with it.
    labels[unbroken_before(recording) + 1 < window_samples] = SampleLabel.LEFT_OUT
    return labels


def has_positives(session: Session) -> bool:
    """Return whether a model can learn a shot from ``session``: one that comes after a complete window."""
    labels = label_samples(session, WINDOW_SAMPLES, StreamOptions())
    return bool((labels == SampleLabel.POSITIVE).any())


def choose_thinning(sessions: Sequence[Session], window_samples: int, options: StreamOptions) -> Thinning:
    """Choose how many samples of ``sessions`` to leave out, so that there are about ``options.max_rows`` rows at most.

    Of longer recordings, as many more positives as negatives are left out: their shares, and so the meaning of a
    probability, stay the same.
    """
    count = np.zeros(len(SampleLabel), dtype=np.int64)
    for session in sessions:
        count += np.bincount(label_samples(session, window_samples, options), minlength=len(SampleLabel))
    rows = int(count[SampleLabel.POSITIVE]) + int(count[SampleLabel.NEGATIVE]) / options.every
    factor = max(1, math.ceil(rows / options.max_rows))
    return Thinning(factor, factor * options.every)


def choose_rows(
    session: Session, window_samples: int, options: StreamOptions, thinning: Thinning
) -> tuple[Indices, npt.NDArray[np.uint8]]:
    """Return the ends ``(m,)`` of the windows of ``session`` that become rows, ascending, and their labels ``(m,)``."""
    labels = label_samples(session, window_samples, options)
    position = np.arange(labels.size)
    chosen = (labels == SampleLabel.POSITIVE) & (position % thinning.positives == 0)
    chosen |= (labels == SampleLabel.NEGATIVE) & (position % thinning.negatives == 0)
    rows = np.flatnonzero(chosen)
    return rows + 1, labels[rows]


def build_stream_dataset(
    sessions: Sequence[Session],
    options: StreamOptions,
    *,
    about: Mapping[str, Any],
    thinning: Thinning | None = None,
) -> Dataset:
    """Build the training set of ``sessions``: rows in the order of sessions and time.

    Its meta contains ``about``, every option and the counts. Without ``thinning``, it is chosen for these sessions.
    Raises :class:`InputError` if no session is long enough or if the rates of the sessions differ.
    """
    usable = usable_sessions(sessions, lead_ms=options.lead_ms, window_ms=options.window_ms)
    if not usable.sessions:
        raise InputError("no recording is long enough for a window")
    window = usable.spans[0].window_samples
    thinning = thinning or choose_thinning(usable.sessions, window, options)
    parts, labels = [], []
    for session in usable.sessions:
        ends, own = choose_rows(session, window, options, thinning)
        parts.append(_rows(session, ends, own, window, options))
        labels.append(own)
    joined, label = join_windows(parts), np.concatenate(labels)
    meta = {
        **about,
        "labels": "stream",
        "channels": list(CHANNELS),
        "dtype": "int16",
        "endianness": "little",
        "shape": list(joined.windows.shape),
        **asdict(options),
        "thinning": asdict(thinning),
        "window_samples": window,
        "window_ms": options.window_ms,
        "estimated_dt_ms": usable.sessions[0].recording.step_ms,
        "estimated_hz": usable.sessions[0].recording.rate_hz,
        "sessions": [session.name for session in usable.sessions],
        "sessions_too_short": [session.name for session in usable.too_short],
        "positives": int(np.count_nonzero(label)),
        "negatives": int(label.size - np.count_nonzero(label)),
    }
    return Dataset(windows=joined.windows, labels=label, rows=joined.rows, meta=meta)


def _rows(
    session: Session, ends: Indices, labels: npt.NDArray[np.uint8], window_samples: int, options: StreamOptions
) -> LabelledWindows:
    """Return the windows at ``ends``. The event of a positive is its shot, that of a negative its own last sample."""
    time_ms, shot_ms = session.recording.time_ms[ends - 1], accepted_ms(session)
    numbers = nearest_shots(shot_ms, time_ms)
    ahead = np.searchsorted(shot_ms, time_ms + options.lead_ms, side="left")
    numbers = np.where(labels == SampleLabel.POSITIVE, ahead, numbers)
    event_ms = np.where(labels == SampleLabel.POSITIVE, np.append(shot_ms, 0)[numbers], time_ms)
    return labelled_windows(session, ends, window_samples, event_ms=event_ms, shots=numbers)
