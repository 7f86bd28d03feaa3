"""A recording: the samples of one device from one boot, with wraps of its clock undone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stinger.clock_trust import ClockTrust, steady_start
from stinger.errors import InputError
from stinger.rate import GAP_MS, GAP_STEPS, SampleRate, measure_rate, serves_rate
from stinger.sample import CLOCK_WRAP_MS, SAMPLE_RATE_HZ, SampleArray, axes
from stinger.sample_clock import LATE_MAX_RUN, WRAP_MAX_STEP_MS, ClockStep, SampleClock

__all__ = ["GAP_MS", "GAP_STEPS", "WRAP_MAX_STEP_MS", "Recording", "SplitSamples", "split_recordings", "split_samples"]

_NOMINAL_STEP_MS: Final = 1000 / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Samples of one device from one boot, in order of time.

    ``samples`` is ``(n,)`` of SAMPLE_DTYPE with n >= 1; ``time_ms`` ``(n,) int64`` is their time since boot, with wraps
    of the u32 clock undone; ``rate`` is measured by :func:`stinger.rate.measure_rate`.
    """

    samples: SampleArray
    time_ms: npt.NDArray[np.int64]
    rate: SampleRate

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
    def step_ms(self) -> float | None:
        """Time between two samples; ``None`` where time does not advance."""
        return self.rate.step_ms

    @property
    def rate_hz(self) -> float | None:
        """Samples per second; ``None`` where time does not advance."""
        return self.rate.hz

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

        A rate that models take counts as exactly 100 Hz: their windows have the same number of samples on every device.
        Raises :class:`InputError` where time does not advance.
        """
        if self.step_ms is None:
            raise InputError(f"the time of these {len(self)} samples does not advance: their rate is unknown")
        return round(duration_ms / (_NOMINAL_STEP_MS if serves_rate(1000 / self.step_ms) else self.step_ms))


class SplitSamples(NamedTuple):
    """The recordings in the samples of a log file, and the indices of the samples that are in none, ascending."""

    recordings: tuple[Recording, ...]
    late: npt.NDArray[np.intp]
    """Late and repeated samples."""
    untimed: npt.NDArray[np.intp]
    """Samples whose times cannot be used, since the clock starts over too often."""


def split_recordings(samples: SampleArray) -> tuple[Recording, ...]:
    """Return the recordings of :func:`split_samples`."""
    return split_samples(samples).recordings


def split_samples(samples: SampleArray) -> SplitSamples:
    """Split the samples ``(n,)`` of a log file where its clock starts over: one recording for each boot.

    The rule is that of live streams, :class:`~stinger.sample_clock.SampleClock`: wraps of the clock are undone; late
    samples, and those that repeat the one before in every byte, are dropped. Unlike there, samples that were taken for
    late ones before a reboot was recognised are moved to the new boot, and a single sample whose time is ahead of both
    its neighbours is dropped. Where the clock starts over too often, samples are left out: see
    :mod:`stinger.clock_trust`.
    """
    none = np.empty(0, dtype=np.intp)
    if samples.shape[0] == 0:
        return SplitSamples((), none, none)
    raw_ms = samples["timestamp_ms"].astype(np.int64)
    steps_ms = np.diff(raw_ms)
    irregular = (steps_ms < 0) | (steps_ms >= CLOCK_WRAP_MS // 2)
    repeated = np.flatnonzero(steps_ms == 0) + 1
    if repeated.size:
        repeated = repeated[samples[repeated] == samples[repeated - 1]]
    if not repeated.size and not irregular.any():
        return SplitSamples((_recording(samples, raw_ms),), none, none)
    late, wraps, boots, untimed = _irregular_steps(raw_ms.tolist(), (np.flatnonzero(irregular) + 1).tolist())
    wrapped = np.zeros(raw_ms.size, dtype=np.int64)
    wrapped[wraps] = CLOCK_WRAP_MS
    time_ms = raw_ms + np.cumsum(wrapped)
    kept = np.ones(raw_ms.size, dtype=np.bool_)
    kept[late] = False
    kept[repeated] = False
    timed = np.ones(raw_ms.size, dtype=np.bool_)
    for start, stop in untimed:
        timed[start:stop] = False
    dropped_as_late = np.flatnonzero(~kept & timed)
    kept &= timed
    recordings = []
    for start, stop in pairwise([0, *boots, raw_ms.size]):
        if not kept[start:stop].any():
            continue
        # Each boot's clock starts over, so the wraps of the boots before it do not count.
        times = time_ms[start:stop] - (time_ms[start] - raw_ms[start])
        own = kept[start:stop]
        part = samples[start:stop]
        recordings.append(_recording(part, times) if own.all() else _recording(part[own], times[own]))
    return SplitSamples(tuple(recordings), dropped_as_late, np.flatnonzero(~timed))


class _Irregular(NamedTuple):
    """What the samples are whose time goes back, by their indices."""

    late: list[int]
    wraps: list[int]
    """The first ones after a wrap."""
    boots: list[int]
    """The first ones of further boots."""
    untimed: list[tuple[int, int]]
    """Stretches ``[start, stop)`` in which the clock cannot be used."""


def _irregular_steps(raw_ms: list[int], candidates: list[int]) -> _Irregular:
    """Return what the samples are whose time goes back from the sample before them: ``candidates``, ascending indices."""
    found = _Irregular([], [], [], [])
    late, wraps, boots, untimed = found
    trust = ClockTrust()
    began = 0  # the first sample since the clock started over
    done = 0  # samples before this index are classified, the last of them as not late
    for candidate in candidates:
        if candidate < done:
            continue
        if candidate - 1 >= done and _is_ahead_by_mistake(raw_ms, candidate - 1):
            late.append(candidate - 1)
            continue
        clock = SampleClock(raw_ms[candidate - 1])
        for index in range(candidate, len(raw_ms)):
            run = clock.late_run
            step = clock.advance(raw_ms[index])
            done = index + 1
            if step is ClockStep.LATE:
                late.append(index)
                continue
            if step is ClockStep.FORWARD:
                break
            start = _restored_start(raw_ms, late, index) if run == LATE_MAX_RUN else index
            trust.start_over(start - began)
            began = start
            if not trust.usable:
                began = steady_start(candidates, index, len(raw_ms))
                untimed.append((start, began))
                boots += [start, began] if began < len(raw_ms) else [start]
                trust.usable = True
                done = began + 1
            elif step is ClockStep.WRAP:
                wraps.append(index)
            else:
                boots.append(start)
            break
    return found


def _is_ahead_by_mistake(raw_ms: list[int], index: int) -> bool:
    """Return whether the time of one sample alone is ahead of its neighbours, which follow each other: it is damaged."""
    if not 0 < index < len(raw_ms) - 1:
        return False
    before_ms, time_ms, after_ms = raw_ms[index - 1 : index + 2]
    return 0 <= after_ms - before_ms <= GAP_MS < time_ms - before_ms


def _restored_start(raw_ms: list[int], late: list[int], index: int) -> int:
    """Return the first sample of the boot that was recognised at ``index``; take its samples out of ``late``."""
    start = index
    while late and late[-1] == start - 1 and index - start < LATE_MAX_RUN and raw_ms[start - 1] <= raw_ms[start]:
        start = late.pop()
    return start


def _recording(samples: SampleArray, time_ms: npt.NDArray[np.int64]) -> Recording:
    return Recording(samples=samples, time_ms=time_ms, rate=measure_rate(time_ms))
