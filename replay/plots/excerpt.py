"""An excerpt: the samples and the models' probabilities around one moment of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from replay.plots.forecast import Forecast
from replay.plots.lines import breaks_in, broken
from stinger.recording import Recording
from stinger.sample import ACCEL_LSB_PER_G, GYRO_LSB_PER_DPS
from stinger.shots import Shots

_LSB_PER_UNIT: Final = np.array([ACCEL_LSB_PER_G] * 3 + [GYRO_LSB_PER_DPS] * 3)


@dataclass(frozen=True, slots=True, eq=False)
class Excerpt:
    """Times are in seconds relative to the moment in the centre of interest.

    Rows are NaN where the recording has a gap.

    ``motion`` ``(n, 6)`` at ``time_s`` ``(n,)``: acceleration in g, then turn rate in degrees a second.
    ``probability`` ``(m, models)`` at ``probability_time_s`` ``(m,)``. ``accepted_s`` and ``rejected_s`` are the times
    of the other shots in the excerpt.
    """

    title: str
    time_s: npt.NDArray[np.float64]
    motion: npt.NDArray[np.float64]
    probability_time_s: npt.NDArray[np.float64]
    probability: npt.NDArray[np.float64]
    accepted_s: npt.NDArray[np.float64]
    rejected_s: npt.NDArray[np.float64]


def excerpt(
    recording: Recording,
    shots: Shots,
    moment_ms: int,
    *,
    title: str,
    pre_ms: float,
    post_ms: float,
    forecast: Forecast | None = None,
) -> Excerpt:
    """Return ``recording`` from ``pre_ms`` before to ``post_ms`` after ``moment_ms``, with the values of ``forecast``."""
    earliest, latest = moment_ms - pre_ms, moment_ms + post_ms
    index = np.arange(*np.searchsorted(recording.time_ms, (earliest, np.nextafter(latest, np.inf))))
    motion = recording.axes[index] / _LSB_PER_UNIT
    time_s, motion = broken((recording.time_ms[index] - moment_ms) / 1000, motion, breaks_in(recording, index))
    if forecast is None:
        probability_time_s, probability = np.empty(0), np.empty((0, 0))
    else:
        first, last = np.searchsorted(forecast.index, (index[0], index[-1] + 1)) if index.size else (0, 0)
        predicted = forecast.index[first:last]
        probability_time_s, probability = broken(
            (recording.time_ms[predicted] - moment_ms) / 1000,
            forecast.probability[first:last],
            breaks_in(recording, predicted),
        )
    other = (shots.time_ms >= earliest) & (shots.time_ms <= latest) & (shots.time_ms != moment_ms)
    return Excerpt(
        title=title,
        time_s=time_s,
        motion=motion,
        probability_time_s=probability_time_s,
        probability=probability,
        accepted_s=(shots.time_ms[other & shots.accepted] - moment_ms) / 1000,
        rejected_s=(shots.time_ms[other & ~shots.accepted & shots.counted] - moment_ms) / 1000,
    )
