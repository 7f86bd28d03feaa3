"""Windows of a recording: which ones are whole, what they hold, how much they move.

A window is named by its end: ``end`` is the index of the sample right after it, so it holds ``[end - window, end)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.recording import Recording

LEAD_MS: Final = 100
"""How long before its shot a positive window ends, unless told otherwise: what flywheels need to reach speed."""
WINDOW_MS: Final = 500
"""How long a window is, unless told otherwise: 50 samples at 100 Hz, as on the blaster."""

ACCEL_WEIGHT: Final = 0.05
"""Weight of the accelerometer in :func:`motion_scores`: gravity is always there, turning tells more of aiming."""

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Span:
    """A window and its lead in samples, each at least 1."""

    lead_samples: int
    window_samples: int

    @property
    def total(self) -> int:
        """Samples from the window's first to its event: a shot, or the time that a prediction speaks of."""
        return self.lead_samples + self.window_samples


def span_of(recording: Recording, *, lead_ms: float = LEAD_MS, window_ms: float = WINDOW_MS) -> Span:
    """Lead and window in samples at the rate of ``recording``.

    Raises :class:`~stinger.errors.InputError` where time does not advance.
    """
    return Span(
        lead_samples=max(1, recording.steps_in(lead_ms)),
        window_samples=max(1, recording.steps_in(window_ms)),
    )


def unbroken_before(recording: Recording) -> Indices:
    """For each sample, how many samples stand before it without a gap: ``(n,)``, 0 at the start and after each gap.

    A window that ends at ``end`` is whole exactly if this is at least its length at ``end``.
    """
    index = np.arange(len(recording))
    starts = np.zeros_like(index)
    gaps = recording.gaps()
    starts[gaps] = gaps
    return index - np.maximum.accumulate(starts)


def windows_at(axes: npt.NDArray[np.int16], ends: Indices, window_samples: int) -> npt.NDArray[np.int16]:
    """The windows of ``axes`` ``(n, 6)`` at ``ends`` ``(k,)``, each in [window_samples, n]: ``(k, window_samples, 6)``."""
    if ends.size == 0:
        return np.empty((0, window_samples, axes.shape[1]), dtype=np.int16)
    sliding = np.lib.stride_tricks.sliding_window_view(axes, window_samples, axis=0)
    return np.ascontiguousarray(sliding[ends - window_samples].transpose(0, 2, 1))


def motion_scores(axes: npt.NDArray[np.int16], window_samples: int) -> npt.NDArray[np.float64]:
    """How much the window before each sample moves: ``(n,)`` in LSB squared, NaN for the first ``window_samples``.

    Mean squared magnitude of the gyroscope plus :data:`ACCEL_WEIGHT` times that of the accelerometer. Sums are of whole
    numbers, so a score does not depend on where in a recording its window lies.
    """
    scores = np.full(axes.shape[0], np.nan)
    if axes.shape[0] > window_samples:
        gyro = _windowed_energy(axes[:, 3:6], window_samples)
        accel = _windowed_energy(axes[:, 0:3], window_samples)
        scores[window_samples:] = (gyro + ACCEL_WEIGHT * accel) / window_samples
    return scores


def pressed_within(recording: Recording, window_samples: int) -> npt.NDArray[np.bool_]:
    """Whether the trigger is down anywhere in the (cut short, at the start) window before each sample: ``(n,)``."""
    count = np.zeros(len(recording) + 1, dtype=np.int64)
    np.cumsum(recording.trigger != 0, out=count[1:])
    starts = np.maximum(np.arange(len(recording)) - window_samples, 0)
    within: npt.NDArray[np.bool_] = count[:-1] > count[starts]
    return within


def _windowed_energy(channels: npt.NDArray[np.int16], window_samples: int) -> npt.NDArray[np.int64]:
    """Sum of squares over the window before sample ``window_samples``, then before each later one."""
    total = np.zeros(channels.shape[0] + 1, dtype=np.int64)
    for column in channels.T:
        wide = column.astype(np.int64)
        wide *= wide
        total[1:] += wide
    np.cumsum(total, out=total)
    energy: npt.NDArray[np.int64] = total[window_samples:-1] - total[: -window_samples - 1]
    return energy
