"""Watches the sample rate of one device: whether its stream must be thinned, and whether models can use what remains."""

from __future__ import annotations

from typing import Final

import numpy as np

from stinger.mlmd import WINDOW_SAMPLES
from stinger.rate import SampleRate, measure_rate
from stinger.sample import SAMPLE_RATE_HZ

PERIOD_MS: Final = 2000
"""The rate is measured over this much of the device's time; the first time over one window of samples."""
FIRST_SAMPLES: Final = 20
CLEARLY_FASTER_HZ: Final = 130
"""After FIRST_SAMPLES samples, a stream is thinned only if it is clearly faster than 100 Hz."""
PERIOD_MAX_SAMPLES: Final = 8192
STANDSTILL_SAMPLES: Final = 200
FASTEST_HZ: Final = 5000
"""More than STANDSTILL_SAMPLES samples at more than this rate are those of a device whose clock hardly advances."""
CONFIRMED: Final = 2
"""A rate that models cannot use is reported after so many measurements in a row; so long, a usable stream stays in use."""

_CLEARLY_REGULAR: Final = 0.02


class RateMonitor:
    """Measures the rate of the samples that arrive and of those that are kept, as :mod:`stinger.rate` does for files.

    ``thinning`` is whether more than 100 samples a second arrive, ``None`` until that is known. ``problem`` is why
    samples must not be scored, ``None`` if they may; ``confirmed_problem`` is the same once it has been measured twice.
    """

    def __init__(self) -> None:
        self.thinning: bool | None = None
        self.problem: str | None = None
        self.confirmed_problem: str | None = None
        self._usable = False  # whether this boot's samples were usable before
        self._failures = 0
        self._measured = False
        self._regular = True
        self._arrived_ms: list[int] = []
        self._kept_ms: list[int] = []

    def restart(self) -> None:
        """Measure anew, as the device has rebooted; what is known holds until then."""
        self._usable = self._measured = False
        self._failures = 0
        self._clear()

    def add_regular(self, times_ms: list[int]) -> None:
        """Add samples that arrived and were all kept, 7 ms or more apart, at ``times_ms`` with wraps undone."""
        self._arrived_ms += times_ms
        if not self._regular:
            self._kept_ms += times_ms
        self._measure_if_due()

    def only_counts(self, time_ms: int) -> bool:
        """Return whether a sample at ``time_ms``, 7 ms or more after the one before, leads to no measurement."""
        return (
            self._measured
            and self._regular
            and self.thinning is False
            and self.problem is None
            and bool(self._arrived_ms)
            and time_ms - self._arrived_ms[0] < PERIOD_MS
        )

    def count(self, time_ms: int) -> None:
        """Add a sample for which :meth:`only_counts` is true."""
        self._arrived_ms.append(time_ms)

    def add(self, arrived_ms: list[int], kept_ms: list[int]) -> None:
        """Add samples that arrived, and those of them that were kept: ascending times with wraps undone."""
        if self._regular:
            self._regular = False
            self._kept_ms = self._arrived_ms.copy()
        self._arrived_ms += arrived_ms
        self._kept_ms += kept_ms
        self._measure_if_due()

    def _measure_if_due(self) -> None:
        count = len(self._arrived_ms)
        if self.thinning is None and count >= FIRST_SAMPLES:
            hz = SAMPLE_RATE_HZ if self._is_clearly_regular() else _rate(self._arrived_ms).hz
            self.thinning = None if hz is None else hz >= CLEARLY_FASTER_HZ
            if self.thinning:
                self._clear()  # what was kept until now was not thinned as it will be
                return
        span_ms = self._arrived_ms[-1] - self._arrived_ms[0] if count else 0
        stands_still = count > STANDSTILL_SAMPLES and count * 1000 > FASTEST_HZ * span_ms
        enough = (len(self._kept_ms) if self.thinning else count) >= WINDOW_SAMPLES
        period_over = not self._measured or span_ms >= PERIOD_MS
        if count >= PERIOD_MAX_SAMPLES or stands_still or (enough and period_over):
            self._measure()

    def _is_clearly_regular(self) -> bool:
        """Return whether the samples are about 10 ms apart, without measuring."""
        span_ms = self._arrived_ms[-1] - self._arrived_ms[0]
        hz = (len(self._arrived_ms) - 1) * 1000 / (span_ms or 1)
        return self._regular and abs(hz / SAMPLE_RATE_HZ - 1) <= _CLEARLY_REGULAR

    def _measure(self) -> None:
        if self._is_clearly_regular():
            self.thinning = False
            self._decide(None)
        else:
            rate = _rate(self._arrived_ms)
            was_thinning, self.thinning = self.thinning, _is_faster(rate, self.thinning)
            if not self.thinning:
                self._decide(rate.problem)
            elif was_thinning:
                self._decide(_rate(self._kept_ms).problem)
            else:
                self._clear()  # what was kept until now was not thinned as it will be
                return
        self._measured = True
        self._clear()

    def _decide(self, problem: str | None) -> None:
        if problem is None:
            self._usable, self._failures = True, 0
            self.problem = self.confirmed_problem = None
            return
        self._failures += 1
        if self._failures >= CONFIRMED:
            self.problem = self.confirmed_problem = problem
        elif not self._usable:
            self.problem = problem

    def _clear(self) -> None:
        self._arrived_ms, self._kept_ms, self._regular = [], [], True


def _rate(times_ms: list[int]) -> SampleRate:
    return measure_rate(np.array(times_ms, dtype=np.int64))


def _is_faster(rate: SampleRate, before: bool | None) -> bool | None:
    """Return whether a stream at ``rate`` must be thinned; ``before``, as until now, if the rate is unknown."""
    if rate.hz is None:
        return before
    return rate.hz > SAMPLE_RATE_HZ and not rate.is_served
