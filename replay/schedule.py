"""Calculates which samples of a recording are due when it is played at any speed.

Performs no I/O and never waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.rate import SampleRate
from stinger.recording import Recording
from stinger.sample import SAMPLE_RATE_HZ, SampleArray
from stinger.units import NS_PER_MS, NS_PER_S

MAX_SAMPLES: Final = 4096
"""Largest number of samples returned at once: at speed 0, or after a delay."""
BETWEEN_BOOTS_MS: Final = 1000.0
"""Pause played between two boots. A log does not record how long the blaster was off."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Consecutive samples of one boot whose raw clock never goes back: n >= 1."""

    samples: SampleArray
    """``(n,)``."""
    due_ms: npt.NDArray[np.float64]
    """``(n,)``: when each is due at speed 1, in ms from the start of the log; ascending."""
    rate: SampleRate
    """That of the whole recording."""


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """The parts of a log in order, and how long it takes to play all of them once at speed 1.

    A part ends where a recording ends (a reboot) and where the raw clock wraps.
    """

    parts: tuple[Part, ...]
    length_ms: float

    @classmethod
    def of(cls, recordings: Iterable[Recording]) -> Schedule:
        """Return the schedule of a log's recordings: pauses within each last as long as they did."""
        parts: list[Part] = []
        begin_ms = 0.0
        for recording in recordings:
            due_ms = begin_ms + (recording.time_ms - recording.time_ms[0]).astype(np.float64)
            raw_ms = recording.samples["timestamp_ms"]
            edges = [0, *(np.flatnonzero(raw_ms[1:] < raw_ms[:-1]) + 1).tolist(), len(recording)]
            parts += [Part(recording.samples[a:b], due_ms[a:b], recording.rate) for a, b in pairwise(edges)]
            begin_ms = float(due_ms[-1]) + BETWEEN_BOOTS_MS
        if not parts:
            return cls((), 0.0)
        return cls(tuple(parts), begin_ms - BETWEEN_BOOTS_MS + 1000.0 / SAMPLE_RATE_HZ)


@dataclass(frozen=True, slots=True, eq=False)
class DueSamples:
    """Samples of one part that are due, n >= 1."""

    samples: SampleArray
    """``(n,)``."""
    taken_ns: npt.NDArray[np.float64]
    """``(n,)``: when each counts as taken, on the caller's clock."""
    boot: int
    """Grows by one with every part, also at the start of another pass."""
    rate: SampleRate
    """That of their recording."""


class Playback:
    """A position in a schedule that is played once and then repeated ``loops`` times; ``None`` repeats it for ever.

    All times are in ns of one clock of the caller's. At a ``speed`` above 0 each sample is due at its own time, divided
    by the speed and counted from ``start_ns``; the schedule is absolute, so a late call to :meth:`take` delays nothing
    after it. At speed 0 everything is due at once; samples then count as taken at their own pace, the last one at the
    time at which the pass began.
    """

    def __init__(
        self,
        schedule: Schedule,
        *,
        speed: float = 1.0,
        loops: int | None = 0,
        start_ns: int,
        max_samples: int = MAX_SAMPLES,
    ) -> None:
        self._schedule = schedule
        self._ns_per_ms = NS_PER_MS / speed if speed else NS_PER_MS
        self._immediate = not speed
        self._loops_left = loops
        self._max_samples = max_samples
        self._start_ns = start_ns
        self._boot = 0
        self._part = 0
        self._position = 0  # within the part
        self._finished = not schedule.parts
        self._taken_ns = self._part_taken_ns()

    @property
    def finished(self) -> bool:
        """Whether all samples have been taken."""
        return self._finished

    def wait_s(self, now_ns: int) -> float:
        """Return how long it is until samples are due; 0 if they are, or if the playback has finished."""
        if self._finished or self._immediate:
            return 0.0
        return max(0.0, float(self._taken_ns[self._position] - now_ns) / NS_PER_S)

    def take(self, now_ns: int) -> DueSamples | None:
        """Return the samples that are due at ``now_ns`` and advance past them; ``None`` if none are due.

        At most ``max_samples`` of one part are returned: the next calls return the rest.
        """
        if self._finished:
            return None
        if self._immediate and self._part == self._position == 0:
            self._start_ns = now_ns - int(self._schedule.length_ms * NS_PER_MS)
            self._taken_ns = self._part_taken_ns()
        part = self._schedule.parts[self._part]
        begin, size = self._position, self._taken_ns.size
        due = size if self._immediate else int(np.searchsorted(self._taken_ns, now_ns, side="right"))
        end = min(due, begin + self._max_samples)
        if end <= begin:
            return None
        taken = DueSamples(part.samples[begin:end], self._taken_ns[begin:end], self._boot, part.rate)
        self._position = end
        if end == size:
            self._enter_next_part()
        return taken

    def _enter_next_part(self) -> None:
        self._boot += 1
        self._position = 0
        self._part += 1
        if self._part == len(self._schedule.parts):
            self._part = 0
            self._start_ns += int(self._schedule.length_ms * self._ns_per_ms)
            self._finished = self._loops_left == 0
            if self._loops_left:
                self._loops_left -= 1
        self._taken_ns = self._part_taken_ns()

    def _part_taken_ns(self) -> npt.NDArray[np.float64]:
        if self._finished:
            return np.empty(0)
        due_ms = self._schedule.parts[self._part].due_ms
        return self._start_ns + due_ms * self._ns_per_ms
