"""A recording: the samples of one device from one boot, with its time made continuous."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.errors import InputError
from stinger.sample import CLOCK_WRAP_MS, SAMPLE_RATE_HZ, SampleArray, axes

GAP_STEPS: Final = 5
"""Two samples more than this many time steps apart have a gap between them."""
GAP_MS: Final = GAP_STEPS * 1000 // SAMPLE_RATE_HZ
"""The same at 100 Hz."""

COARSE_STEP_MS: Final = 8
"""Below this, whole milliseconds are too coarse for the median step to be the step: the mean of those without gaps is."""

WRAP_MAX_STEP_MS: Final = 3_600_000
"""Time that falls back is a wrap of the u32 clock if the wrapped step is at most this long, else another boot.

A logger that pauses while the blaster lies still can be silent across the wrap, so this is generous: one hour.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Samples of one device from one boot, never going back in time.

    ``samples`` is ``(n,)`` of SAMPLE_DTYPE with n >= 1, ``time_ms`` ``(n,) int64`` their time since boot with wraps of
    the u32 clock undone, and ``step_ms`` the median time between samples, or their mean below COARSE_STEP_MS (``None``
    where time does not advance).
    """

    samples: SampleArray
    time_ms: npt.NDArray[np.int64]
    step_ms: float | None

    def __len__(self) -> int:
        return int(self.samples.shape[0])

    @property
    def axes(self) -> npt.NDArray[np.int16]:
        """``(n, 6) int16`` raw LSB: ax, ay, az, gx, gy, gz."""
        return axes(self.samples)

    @property
    def trigger(self) -> npt.NDArray[np.uint8]:
        """``(n,) uint8``: 0 or 1, the switch at each sample."""
        pressed: npt.NDArray[np.uint8] = self.samples["trigger"]
        return pressed

    @property
    def rate_hz(self) -> float | None:
        """Samples per second, from the median time step; ``None`` where time does not advance."""
        return None if self.step_ms is None else 1000.0 / self.step_ms

    @property
    def duration_ms(self) -> float:
        """From the first sample to the end of the last one's step, gaps included."""
        return float(self.time_ms[-1] - self.time_ms[0]) + (self.step_ms or 0.0)

    @property
    def recorded_ms(self) -> float:
        """The time that its samples stand for, without gaps."""
        return len(self) * (self.step_ms or 0.0)

    def gaps(self) -> npt.NDArray[np.intp]:
        """Indices of the samples that stand right after a gap, ascending."""
        if self.step_ms is None:
            return np.empty(0, dtype=np.intp)
        return np.flatnonzero(np.diff(self.time_ms) > GAP_STEPS * self.step_ms) + 1

    def segments(self) -> list[tuple[int, int]]:
        """The stretches without a gap, as ``[start, stop)`` indices; together they are the whole recording."""
        edges = [0, *self.gaps().tolist(), len(self)]
        return list(pairwise(edges))

    def steps_in(self, duration_ms: float) -> int:
        """How many samples ``duration_ms`` spans at this recording's rate, rounded.

        Raises :class:`InputError` where time does not advance.
        """
        if self.step_ms is None:
            raise InputError(f"the time of these {len(self)} samples does not advance: their rate is unknown")
        return round(duration_ms / self.step_ms)


def split_recordings(samples: SampleArray) -> tuple[Recording, ...]:
    """Cut ``samples`` ``(n,)``, as a log file holds them, wherever time jumps back: one recording for each boot.

    A fall of the clock that is a wrap of its 32 bits (see :data:`WRAP_MAX_STEP_MS`) is undone instead.
    """
    if samples.shape[0] == 0:
        return ()
    raw_ms = samples["timestamp_ms"].astype(np.int64)
    step_ms = np.diff(raw_ms)
    wrapped = (step_ms < 0) & (step_ms + CLOCK_WRAP_MS <= WRAP_MAX_STEP_MS)
    # On a clock of 32 bits, a step of more than half its range forward is one back.
    jumped = ((step_ms < 0) & ~wrapped) | (step_ms > CLOCK_WRAP_MS // 2)
    if not (jumped | wrapped).any():
        return (_recording(samples, raw_ms),)
    time_ms = raw_ms.copy()
    time_ms[1:] += CLOCK_WRAP_MS * np.cumsum(wrapped)
    starts = [0, *(np.flatnonzero(jumped) + 1).tolist(), samples.shape[0]]
    return tuple(
        # Each boot's clock starts over, so the wraps of the boots before it do not count.
        _recording(samples[start:stop], time_ms[start:stop] - (time_ms[start] - raw_ms[start]))
        for start, stop in pairwise(starts)
    )


def _recording(samples: SampleArray, time_ms: npt.NDArray[np.int64]) -> Recording:
    steps = np.diff(time_ms)
    median = float(np.median(steps)) if steps.size else 0.0
    if 0 < median < COARSE_STEP_MS:
        # Steps of 0.625 ms are written as 0s and 1s: only together do they tell the rate.
        median = float(steps[steps <= GAP_STEPS * median].mean())
    return Recording(samples=samples, time_ms=time_ms, step_ms=median if median > 0 else None)
