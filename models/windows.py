"""Windows of a recording: which are complete, their samples, and how much motion they contain.

A window is identified by its end: ``end`` is the index of the sample right after it; it is ``[end - window, end)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.recording import Recording

LEAD_MS: Final = 100
"""Default time from the end of a positive window to its shot: the time that flywheels need to reach speed."""
WINDOW_MS: Final = 500
"""Default length of a window: 50 samples at 100 Hz, as on the blaster."""

ACCEL_WEIGHT: Final = 0.05
"""Weight of the accelerometer in :func:`motion_scores`: it always measures gravity; turning is a better sign of aiming."""

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Span:
    """A window and its lead in samples, each at least 1."""

    lead_samples: int
    window_samples: int

    @property
    def total(self) -> int:
        """Samples from the start of the window to its event: a shot, or the time that a prediction is for."""
        return self.lead_samples + self.window_samples


def span_of(recording: Recording, *, lead_ms: float = LEAD_MS, window_ms: float = WINDOW_MS) -> Span:
    """Return lead and window in samples at the rate of ``recording``.

    Raises :class:`~stinger.errors.InputError` where time does not advance.
    """
    return Span(
        lead_samples=max(1, recording.steps_in(lead_ms)),
        window_samples=max(1, recording.steps_in(window_ms)),
    )


def unbroken_before(recording: Recording) -> Indices:
    """Return for each sample the number of samples before it without a gap.

    ``(n,)``, 0 at the start and after a gap. A window that ends at ``end`` is complete if this number at ``end`` is at
    least its length.
    """
    index = np.arange(len(recording))
    starts = np.zeros_like(index)
    gaps = recording.gaps()
    starts[gaps] = gaps
    return index - np.maximum.accumulate(starts)


def followed_within(
    time_ms: npt.NDArray[np.int64], event_ms: npt.NDArray[np.int64], soonest_ms: float, latest_ms: float
) -> npt.NDArray[np.bool_]:
    """Return whether an event comes ``soonest_ms`` to ``latest_ms`` after each time ``(n,)``, inclusive: ``(n,)``.

    Both times are ascending; a negative ``soonest_ms`` finds events before a time.
    """
    first = np.searchsorted(event_ms, time_ms + soonest_ms, side="left")
    last = np.searchsorted(event_ms, time_ms + latest_ms, side="right")
    followed: npt.NDArray[np.bool_] = last > first
    return followed


def windows_at(axes: npt.NDArray[np.int16], ends: Indices, window_samples: int) -> npt.NDArray[np.int16]:
    """Return the windows ``(k, window_samples, 6)`` of ``axes`` ``(n, 6)`` at ``ends`` ``(k,)``.

    Each end is in [window_samples, n].
    """
    if ends.size == 0:
        return np.empty((0, window_samples, axes.shape[1]), dtype=np.int16)
    sliding = np.lib.stride_tricks.sliding_window_view(axes, window_samples, axis=0)
    return np.ascontiguousarray(sliding[ends - window_samples].transpose(0, 2, 1))


def motion_scores(axes: npt.NDArray[np.int16], window_samples: int) -> npt.NDArray[np.float64]:
    """Return the motion of the window before each sample, ``(n,)`` in LSB squared.

    It is the mean squared magnitude of the gyroscope plus :data:`ACCEL_WEIGHT` times that of the accelerometer, and NaN
    for the first ``window_samples``. Sums are of integers, so a score does not depend on the position of its window in
    the recording.
    """
    scores = np.full(axes.shape[0], np.nan)
    if axes.shape[0] > window_samples:
        gyro = _windowed_energy(axes[:, 3:6], window_samples)
        accel = _windowed_energy(axes[:, 0:3], window_samples)
        scores[window_samples:] = (gyro + ACCEL_WEIGHT * accel) / window_samples
    return scores


def pressed_within(recording: Recording, window_samples: int) -> npt.NDArray[np.bool_]:
    """Return whether the trigger is pressed in the window before each sample, shorter at the start: ``(n,)``."""
    count = np.zeros(len(recording) + 1, dtype=np.int64)
    np.cumsum(recording.trigger != 0, out=count[1:])
    starts = np.maximum(np.arange(len(recording)) - window_samples, 0)
    within: npt.NDArray[np.bool_] = count[:-1] > count[starts]
    return within


def _windowed_energy(channels: npt.NDArray[np.int16], window_samples: int) -> npt.NDArray[np.int64]:
    """Return the sum of squares over the window before sample ``window_samples`` and before each later one."""
    total = np.zeros(channels.shape[0] + 1, dtype=np.int64)
    for column in channels.T:
        wide = column.astype(np.int64)
        wide *= wide
        total[1:] += wide
    np.cumsum(total, out=total)
    energy: npt.NDArray[np.int64] = total[window_samples:-1] - total[: -window_samples - 1]
    return energy
