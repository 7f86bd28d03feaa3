"""The decision, wheels on or off: the envelope follower, hysteresis and timeout of the blaster.

Source of the rule and of its numbers: the Stinger firmware, which decides once every 10 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.decision_parameters import STEP_MS, DecisionParameters

STALE_RELEASES: Final = 32
"""How many times the envelope falls in a step once the output is stale: once in each turn of the blaster's fast loop,
3,200 a second. Within 50 ms it is near 0."""

LATE_MS: Final = STEP_MS + STEP_MS // 2
"""From this distance between two samples on, a step was missed: the distance is rounded to whole steps."""
NEVER_MS: Final = -(2**62)
"""The time of a sample or output that there has not been."""
_MIN_ARRAY_SAMPLES: Final = 48
"""From this number of samples on, array operations are faster than a loop."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A change of the wheels at ``time_ms``, to on or to off."""

    time_ms: int
    on: bool


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """The decisions for a block of n samples.

    ``wheels`` ``(n,) bool`` and ``envelope`` ``(n,) float64`` are the state after each sample. ``switches`` are all
    changes in order of time, including those between two samples.
    """

    wheels: npt.NDArray[np.bool_]
    envelope: npt.NDArray[np.float64]
    switches: tuple[Switch, ...]


class Decision:
    """The state of the wheels of one blaster. Starts with wheels off and the envelope at 0.

    Each sample updates the envelope s once, with its probability p: ``s += a * (p - s)``, where a is ``attack`` if p >
    s and ``release`` otherwise; then the wheels go on if s >= ``on``, off if s < ``off``. A sample without a
    probability (NaN), and each 10 ms step without a sample (the time between samples, rounded to steps), does the same
    with the last probability, until that is ``stale_ms`` old: then the wheels go off, and until the next output they
    stay off and the envelope falls :data:`STALE_RELEASES` times a step. A step back in time is another boot: the state
    is reset.

    >>> decision = Decision(DecisionParameters(attack=1.0))
    >>> decision.step(1000, 0.3), decision.step(1010, 0.9)
    ((), (Switch(time_ms=1010, on=True),))
    """

    def __init__(self, parameters: DecisionParameters | None = None) -> None:
        self.parameters = parameters or DecisionParameters()
        self.envelope = 0.0
        """Level of the envelope, 0 to 1. This and the next attributes are for reading; the methods change them."""
        self.wheels = False
        """Whether the wheels are on."""
        self._held = 0.0
        self.output_ms = NEVER_MS
        """Time of the newest output, by the clock of the samples; :data:`NEVER_MS` before the first."""
        self.sample_ms: int | None = None
        """Time of the newest sample; ``None`` before the first."""
        self._missed = 0  # steps without a sample that were made since the last sample
        self._switches: list[tuple[int, Switch]] = []  # each with the index of the sample at or before which it comes

    def advance_quietly(self, time_ms: int, probability: float, envelope: float) -> None:
        """Take over the state after samples that switched nothing, all with an output and without a missed step.

        The last of them came at ``time_ms`` with ``probability`` and left the envelope at ``envelope``.
        """
        self.sample_ms = self.output_ms = time_ms
        self._held, self.envelope, self._missed = probability, envelope, 0

    def pass_without_output(self, time_ms: int) -> None:
        """Take over the state after samples without an output, the last one at ``time_ms``, before the first output."""
        self.sample_ms, self._missed = time_ms, 0

    def push(self, time_ms: npt.NDArray[np.integer[Any]], probability: npt.NDArray[np.floating[Any]]) -> Decisions:
        """Process the next n samples: times ``(n,)`` in ms, probabilities ``(n,)``, NaN where a sample has none.

        The results do not depend on how the samples are divided into blocks.
        """
        initially, count = self.wheels, time_ms.shape[0]
        envelope = np.empty(count)
        if count < _MIN_ARRAY_SAMPLES:
            for i, (now, p) in enumerate(zip(time_ms.tolist(), probability.tolist(), strict=True)):
                self._step(i, now, p)
                envelope[i] = self.envelope
        else:
            for start, stop in pairwise(_run_bounds(time_ms, probability)):
                if stop - start < _MIN_ARRAY_SAMPLES:
                    block = zip(time_ms[start:stop].tolist(), probability[start:stop].tolist(), strict=True)
                    for i, (now, p) in enumerate(block, start):
                        self._step(i, now, p)
                        envelope[i] = self.envelope
                else:
                    self._step(start, int(time_ms[start]), float(probability[start]))
                    envelope[start] = self.envelope
                    self._run(start + 1, time_ms[start + 1 : stop], probability[start + 1 : stop], envelope)
        return self._decided(initially, envelope)

    def switches(self, time_ms: Sequence[int], probability: Sequence[float]) -> tuple[Switch, ...]:
        """Process the next n samples as :meth:`push` does and return the switches: faster for a short block."""
        parameters = self.parameters
        for now_ms, p in zip(time_ms, probability, strict=True):
            before_ms = self.sample_ms
            regular = before_ms is not None and before_ms == self.output_ms and 0 <= now_ms - before_ms < LATE_MS
            if not regular or p != p:  # noqa: PLR0124 - only NaN differs from itself
                self._step(0, now_ms, p)
                continue
            # Nearly all samples of a daemon come here: as _step and _follow, without what only others need.
            self.sample_ms = self.output_ms = now_ms
            self._held, self._missed = p, 0
            s = self.envelope
            self.envelope = s = s + (parameters.attack if p > s else parameters.release) * (p - s)
            if s < parameters.off if self.wheels else s >= parameters.on:
                self._switch(0, now_ms, not self.wheels)
        return self._take_switches()

    def step(self, time_ms: int, probability: float) -> tuple[Switch, ...]:
        """Process one sample as :meth:`push` does and return the switches: faster than a block of one sample."""
        self._step(0, time_ms, probability)
        return self._take_switches()

    def tick(self, now_ms: int) -> tuple[Switch, ...]:
        """Advance the time to ``now_ms``, by the clock of the samples, without a sample, and return the switches.

        Later decisions do not depend on how often this is called between two samples.
        """
        if self.sample_ms is not None and now_ms > self.sample_ms:
            self._wait(0, self.sample_ms, now_ms)
        return self._take_switches()

    def _step(self, index: int, now_ms: int, p: float) -> None:
        """Process sample ``index`` of a block."""
        before = self.sample_ms
        if before is None or now_ms < before:
            self._restart(index, now_ms)
        elif now_ms - before >= LATE_MS or self.output_ms != before:
            self._wait(index, before, now_ms)
        self.sample_ms = now_ms
        self._missed = 0
        if p == p:  # noqa: PLR0124 - only NaN differs from itself
            self._held = p
            self.output_ms = now_ms
        self._follow(index, now_ms, now_ms - self.output_ms >= self.parameters.stale_ms)

    def _follow(self, index: int, now_ms: int, stale: bool) -> None:
        """Update the envelope once, and switch the wheels by it."""
        p, s, parameters = self._held, self.envelope, self.parameters
        if stale:
            s *= (1 - parameters.release) ** STALE_RELEASES
        else:
            s += (parameters.attack if p > s else parameters.release) * (p - s)
        self.envelope = s
        if self.wheels:
            if s < parameters.off:
                self._switch(index, now_ms, False)
        elif s >= parameters.on and not stale:
            self._switch(index, now_ms, True)

    def _wait(self, index: int, before_ms: int, until_ms: int) -> None:
        """Make the steps missed since the sample at ``before_ms``, and switch the wheels off when the output gets stale."""
        stale_ms = self.output_ms + self.parameters.stale_ms
        missed = (until_ms - before_ms + STEP_MS // 2) // STEP_MS - 1
        while self._missed < missed and before_ms + (self._missed + 1) * STEP_MS < stale_ms:
            self._missed += 1
            self._follow(index, before_ms + self._missed * STEP_MS, False)
        if until_ms < stale_ms:
            return
        self._force_off(index, stale_ms)
        if self._missed < missed:
            self.envelope *= (1 - self.parameters.release) ** (STALE_RELEASES * (missed - self._missed))
            self._missed = missed

    def _run(
        self,
        start: int,
        time_ms: npt.NDArray[np.integer[Any]],
        probability: npt.NDArray[np.floating[Any]],
        envelope: npt.NDArray[np.float64],
    ) -> None:
        """Process the samples from ``start`` on, at least one.

        They and the one before have outputs and no missed steps.
        """
        attack, release, s = self.parameters.attack, self.parameters.release, self.envelope
        followed: list[float] = []
        append = followed.append
        p = 0.0
        for p in probability.tolist():
            s += (attack if p > s else release) * (p - s)
            append(s)
        self.envelope, self._held = s, p
        self.sample_ms = self.output_ms = int(time_ms[-1])
        levels = envelope[start : start + len(followed)]
        levels[:] = followed
        self._switch_wheels(start, time_ms, levels)

    def _switch_wheels(
        self, start: int, time_ms: npt.NDArray[np.integer[Any]], levels: npt.NDArray[np.float64]
    ) -> None:
        """Switch the wheels by the ``levels`` of the envelope at the samples from ``start`` on.

        None of them is stale.
        """
        high = levels >= self.parameters.on
        outside = np.flatnonzero(high | (levels < self.parameters.off))
        wanted = high[outside]
        changes = outside[wanted != np.concatenate(([self.wheels], wanted[:-1]))]
        for i in changes.tolist():
            self._switch(start + i, int(time_ms[i]), not self.wheels)

    def _restart(self, index: int, now_ms: int) -> None:
        self._force_off(index, now_ms)
        self.envelope, self._held, self.output_ms = 0.0, 0.0, NEVER_MS

    def _force_off(self, index: int, now_ms: int) -> None:
        """Switch the wheels off whatever the envelope is."""
        if self.wheels:
            self._switch(index, now_ms, False)

    def _switch(self, index: int, now_ms: int, on: bool) -> None:
        self.wheels = on
        self._switches.append((index, Switch(now_ms, on)))

    def _take_switches(self) -> tuple[Switch, ...]:
        if not self._switches:
            return ()
        switches = tuple(switch for _, switch in self._switches)
        self._switches.clear()
        return switches

    def _decided(self, initially: bool, envelope: npt.NDArray[np.float64]) -> Decisions:
        wheels = np.full(envelope.shape, initially)
        edges = [index for index, _ in self._switches]
        for (index, switch), after in zip(self._switches, [*edges[1:], len(wheels)], strict=False):
            wheels[index:after] = switch.on
        return Decisions(wheels, envelope, self._take_switches())


def _run_bounds(time_ms: npt.NDArray[np.integer[Any]], probability: npt.NDArray[np.floating[Any]]) -> list[int]:
    """Return the start of each run of samples, and the number of samples.

    Within a run, every sample but the first has an output, and so has the one before it, without a missed step between.
    """
    known = ~np.isnan(probability)
    step_ms = np.diff(time_ms.astype(np.int64, copy=False))
    regular = known[1:] & known[:-1] & (step_ms >= 0) & (step_ms < LATE_MS)
    return [0, *(np.flatnonzero(~regular) + 1).tolist(), time_ms.shape[0]]
