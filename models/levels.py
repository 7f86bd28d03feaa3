"""The envelope of a whole recording, computed once, and the spin-ups at any threshold on it.

The envelope does not depend on the threshold, so a sweep over thresholds needs it only once for each attack and
release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.decision import Decision
from models.decision_parameters import DecisionParameters


@dataclass(frozen=True, slots=True, eq=False)
class SpinUps:
    """``times_ms`` ``(k, 2)``: when wheels go on and off.

    ``samples`` ``(k, 2)``: the first sample on, the first off again.
    """

    times_ms: npt.NDArray[np.int64]
    samples: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """The levels of the envelope at each of ``k`` steps of a stream of ``count`` samples.

    A gap has steps without a sample.

    ``time_ms`` ``(k,)`` is the time of each step, ``sample`` ``(k,)`` the sample at or before which it comes. Wheels go
    on at a step where ``rise`` ``(k,)`` is at least the threshold, and off where ``fall`` ``(k,)`` is below the lower
    one: both are the envelope, or minus infinity where wheels cannot go on, or go off at any level, because the output
    is stale.
    """

    time_ms: npt.NDArray[np.int64]
    sample: npt.NDArray[np.int64]
    rise: npt.NDArray[np.float64]
    fall: npt.NDArray[np.float64]
    count: int
    end_ms: int

    def spin_ups(self, on: float, off: float) -> SpinUps:
        """Return the spin-ups with these two thresholds; wheels that are on at the end go off at ``end_ms``.

        They are those of :class:`~models.decision.Decision`.
        """
        high = self.rise >= on
        outside = np.flatnonzero(high | (self.fall < off))
        wanted = high[outside]
        changes = outside[wanted != np.concatenate(([False], wanted[:-1]))]
        times, samples = self.time_ms[changes], self.sample[changes]
        if changes.size % 2:
            times = np.append(times, max(self.end_ms, int(times[-1])))
            samples = np.append(samples, self.count)
        return SpinUps(times.reshape(-1, 2), samples.reshape(-1, 2))


def follow(
    time_ms: npt.NDArray[np.integer[Any]],
    probability: npt.NDArray[np.floating[Any]],
    parameters: DecisionParameters,
    *,
    end_ms: int,
) -> Levels:
    """Return the levels of the envelope for n samples: times ``(n,)`` in ms, probabilities ``(n,)``, NaN for none.

    Only ``attack``, ``release`` and ``stale_ms`` of ``parameters`` matter.
    """
    recorder = _LevelRecorder(parameters)
    recorder.push(time_ms, probability)
    return recorder.levels(time_ms.shape[0], end_ms)


class _LevelRecorder(Decision):
    """A decision that keeps each level of its envelope, instead of switching wheels."""

    def __init__(self, parameters: DecisionParameters) -> None:
        super().__init__(parameters)
        self._blocks: list[tuple[npt.NDArray[Any], ...]] = []
        self._steps: list[tuple[int, int, float, float]] = []

    def levels(self, count: int, end_ms: int) -> Levels:
        """Return what was kept of a stream of ``count`` samples that ends at ``end_ms``."""
        self._flush()
        time_ms, sample, rise, fall = (
            np.concatenate([block[column] for block in self._blocks]) if self._blocks else np.empty(0)
            for column in range(4)
        )
        return Levels(time_ms.astype(np.int64), sample.astype(np.int64), rise, fall, count, end_ms)

    def _follow(self, index: int, now_ms: int, stale: bool) -> None:
        super()._follow(index, now_ms, stale)
        self._steps.append((now_ms, index, -np.inf if stale else self.envelope, self.envelope))

    def _force_off(self, index: int, now_ms: int) -> None:
        self._steps.append((now_ms, index, -np.inf, -np.inf))
        super()._force_off(index, now_ms)

    def _switch_wheels(
        self, start: int, time_ms: npt.NDArray[np.integer[Any]], levels: npt.NDArray[np.float64]
    ) -> None:
        self._flush()
        self._blocks.append((time_ms, np.arange(start, start + levels.size), levels, levels))

    def _flush(self) -> None:
        if self._steps:
            now_ms, index, rise, fall = zip(*self._steps, strict=True)
            self._blocks.append((np.array(now_ms), np.array(index), np.array(rise), np.array(fall)))
            self._steps.clear()
