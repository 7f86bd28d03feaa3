"""A recording: the samples of one device from one boot, with wraps of its clock undone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.errors import InputError
from stinger.sample import CLOCK_WRAP_MS, SAMPLE_RATE_HZ, SampleArray, axes

GAP_STEPS: Final = 5
"""Between two samples that are more than this many time steps apart there is a gap."""
GAP_MS: Final = GAP_STEPS * 1000 // SAMPLE_RATE_HZ
"""The same at 100 Hz."""

COARSE_STEP_MS: Final = 8
"""Below this, times in whole milliseconds are too coarse for the median: the mean of the steps without gaps is taken."""

WRAP_MAX_STEP_MS: Final = 3_600_000
"""A step back in time is a wrap of the u32 clock if the wrapped step is at most this long, otherwise another boot.

It is as long as an hour because a logger pauses while the blaster lies still, possibly across the wrap.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Samples of one device from one boot, in order of time.

    ``samples`` is ``(n,)`` of SAMPLE_DTYPE with n >= 1; ``time_ms`` ``(n,) int64`` is their time since boot, with wraps
    of the u32 clock undone; ``step_ms`` is the median time between samples, or the mean if the median is below
    COARSE_STEP_MS, or ``None`` where time does not advance.
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
        """Samples per second, from :attr:`step_ms`; ``None`` where time does not advance."""
        return None if self.step_ms is None else 1000.0 / self.step_ms

    @property
    def duration_ms(self) -> float:
        """Time from the first sample to the end of the last sample's step, including gaps."""
        return float(self.time_ms[-1] - self.time_ms[0]) + (self.step_ms or 0.0)

    @property
    def recorded_ms(self) -> float:
        """Total time that the samples cover, without gaps: their number times :attr:`step_ms`."""
        return len(self) * (self.step_ms or 0.0)

    def gaps(self) -> npt.NDArray[np.intp]:
        """Return the indices of the samples right after a gap, ascending."""
        if self.step_ms is None:
            return np.empty(0, dtype=np.intp)
        return np.flatnonzero(np.diff(self.time_ms) > GAP_STEPS * self.step_ms) + 1

    def segments(self) -> list[tuple[int, int]]:
        """Return the stretches without a gap as ``[start, stop)`` indices; together they are the whole recording."""
        edges = [0, *self.gaps().tolist(), len(self)]
        return list(pairwise(edges))

    def steps_in(self, duration_ms: float) -> int:
        """Return the number of samples in ``duration_ms`` at this recording's rate, rounded.

        Raises :class:`InputError` where time does not advance.
        """
        if self.step_ms is None:
            raise InputError(f"the time of these {len(self)} samples does not advance: their rate is unknown")
        return round(duration_ms / self.step_ms)


def split_recordings(samples: SampleArray) -> tuple[Recording, ...]:
    """Split the samples ``(n,)`` of a log file where time jumps back: one recording for each boot.

    A wrap of the 32-bit clock (see :data:`WRAP_MAX_STEP_MS`) is undone instead.
    """
    if samples.shape[0] == 0:
        return ()
    raw_ms = samples["timestamp_ms"].astype(np.int64)
    step_ms = np.diff(raw_ms)
    wrapped = (step_ms < 0) & (step_ms + CLOCK_WRAP_MS <= WRAP_MAX_STEP_MS)
    # On a 32-bit clock, a step forward by more than half its range is a step back.
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
        # Steps of 0.625 ms appear as steps of 0 and 1 ms, so only their mean gives the rate.
        median = float(steps[steps <= GAP_STEPS * median].mean())
    return Recording(samples=samples, time_ms=time_ms, step_ms=median if median > 0 else None)
