"""A recording with a model's output for each of its samples, as a blaster would have had it at that moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.decision import Decided, Decision, DecisionParameters, spin_ups
from models.sessions import Session


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """``probability`` ``(n,) float32``: the output at each sample of ``session``, NaN where there is none.

    The output at time t is that of the window whose last sample is at t: it speaks of a shot at t + 100 ms.
    """

    session: Session
    probability: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.probability.shape != (len(self.session.recording),):
            raise ValueError(
                f"{len(self.session.recording)} samples have as many probabilities, not {self.probability.shape}"
            )

    @property
    def time_ms(self) -> npt.NDArray[np.int64]:
        """``(n,)``: time of each sample since boot."""
        return self.session.recording.time_ms

    @property
    def step_ms(self) -> float:
        """The time that one sample stands for; 0 where time does not advance."""
        return self.session.recording.step_ms or 0.0


def decide(trace: Trace, parameters: DecisionParameters) -> tuple[Decided, npt.NDArray[np.int64]]:
    """The decision at each sample of ``trace``, and its spin-ups ``(k, 2)``, on and off in ms since boot."""
    decided = Decision(parameters).push(trace.time_ms, trace.probability)
    return decided, spin_ups(decided.switches, int(trace.time_ms[-1] + trace.step_ms))
