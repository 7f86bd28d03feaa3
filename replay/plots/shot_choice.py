"""Choose the shots to draw, where there are more than are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features import compute_features
from models.sessions import Session
from models.windows import LEAD_MS, windows_at
from replay.plots.forecast import Forecast
from stinger.mlmd import WINDOW_SAMPLES

Shot = tuple[int, int]
"""Position of the session, and time of the shot in ms."""

_SCORED_SAMPLES: Final = 20
"""A shot is scored by the mean probability of so many samples up to it: 200 ms, the ones that the models are to
recognise.
"""


class ShotOrder(StrEnum):
    """Which accepted shots to draw."""

    INSTRUCTIVE = "instructive"
    TYPICAL = "typical"
    BEST = "best"
    WORST = "worst"
    FIRST = "first"


def choose_shots(
    order: ShotOrder, sessions: Sequence[Session], forecasts: Sequence[Forecast], count: int
) -> Mapping[Shot, str]:
    """Return at most ``count`` accepted shots, each with the reason why it was chosen.

    ``best`` and ``worst`` are those with the highest and the lowest probability before them, as mean of the models.
    ``typical`` are those with the usual motion in the window before them: closest to the median in the features
    ``rich``. ``instructive`` are a third of each. A shot without a whole window before it is only among the ``first``.
    """
    shots = [
        (position, time)
        for position, one in enumerate(sessions)
        for time in one.shots.time_ms[one.shots.accepted].tolist()
    ]
    if order is ShotOrder.FIRST:
        return dict.fromkeys(shots[:count], "")
    scores = np.array([_score(sessions[position], forecasts[position], time) for position, time in shots])
    distances = _distances(sessions, shots)
    known = np.flatnonzero(~np.isnan(scores) & ~np.isnan(distances))
    ranked = {
        ShotOrder.BEST: known[np.argsort(-scores[known], kind="stable")],
        ShotOrder.WORST: known[np.argsort(scores[known], kind="stable")],
        ShotOrder.TYPICAL: known[np.argsort(distances[known], kind="stable")],
    }
    orders = tuple(ranked) if order is ShotOrder.INSTRUCTIVE else (order,)
    chosen: dict[Shot, str] = {}
    for turn in range(known.size):
        for one in orders:
            if len(chosen) < min(count, known.size):
                fresh = [shots[i] for i in ranked[one].tolist() if shots[i] not in chosen]
                chosen[fresh[0]] = _reason(one, turn)
    return chosen


def _reason(order: ShotOrder, turn: int) -> str:
    word = {ShotOrder.BEST: "best predicted", ShotOrder.WORST: "worst predicted", ShotOrder.TYPICAL: "most typical"}[
        order
    ]
    return f"{word}, no. {turn + 1}"


def _score(session: Session, forecast: Forecast, time_ms: int) -> float:
    """Return the mean probability before the shot at ``time_ms``; NaN where there is none."""
    sample = int(np.searchsorted(session.recording.time_ms, time_ms))
    rows = (forecast.index > sample - _SCORED_SAMPLES) & (forecast.index <= sample)
    values = forecast.probability[rows]
    return float(np.nanmean(values)) if values.size and not np.isnan(values).all() else np.nan


def _distances(sessions: Sequence[Session], shots: Sequence[Shot]) -> npt.NDArray[np.float64]:
    """Return how far the motion before each shot is from the usual one; NaN for a shot without a whole window before it."""
    windows = np.zeros((len(shots), WINDOW_SAMPLES, 6), dtype=np.int16)
    whole = np.zeros(len(shots), dtype=np.bool_)
    for number, (position, time_ms) in enumerate(shots):
        recording = sessions[position].recording
        end = int(np.searchsorted(recording.time_ms, time_ms - LEAD_MS))
        if end >= WINDOW_SAMPLES:
            whole[number] = True
            windows[number] = windows_at(recording.axes, np.array([end]), WINDOW_SAMPLES)[0]
    distances = np.full(len(shots), np.nan)
    if whole.any():
        features = compute_features(windows[whole], "rich").astype(np.float64)
        spread = np.maximum(features.std(axis=0), 1e-9)
        distances[whole] = np.linalg.norm((features - np.median(features, axis=0)) / spread, axis=1)
    return distances
