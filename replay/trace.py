"""A session with a model's output for each of its samples, as a blaster would compute it at that moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from models.decision_parameters import DecisionParameters
from models.levels import Levels, follow
from models.model_file import Model, open_model
from models.scorer import WindowModel, score_recording
from models.sessions import Session
from models.task_runner import TaskRunner
from stinger.recording import Recording


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """``probability`` ``(n,) float32``: the output at each of the n samples of ``session``, NaN where there is none.

    The output at time t is that of the window whose last sample is at t: it predicts a shot at t + 100 ms.
    Raises ``ValueError`` for an array of another length.
    """

    session: Session
    probability: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.probability.shape != (len(self.session.recording),):
            raise ValueError(
                f"{len(self.session.recording)} samples need as many probabilities, not {self.probability.shape}"
            )

    @property
    def time_ms(self) -> npt.NDArray[np.int64]:
        """``(n,)``: time of each sample since boot."""
        return self.session.recording.time_ms

    @property
    def step_ms(self) -> float:
        """The duration that one sample covers, in ms; 0 where time does not advance."""
        return self.session.recording.step_ms or 0.0


def score_sessions(
    model: WindowModel, sessions: Sequence[Session], *, progress: Callable[[int], object] = lambda _: None
) -> tuple[Trace, ...]:
    """Score each of ``sessions`` from its start, as the daemon scores a stream.

    ``progress(1)`` is called after each.
    """
    traces = []
    for session in sessions:
        traces.append(Trace(session, score_recording(model, session.recording)))
        progress(1)
    return tuple(traces)


def score_sessions_on(runner: TaskRunner, model: Model, sessions: Sequence[Session]) -> tuple[Trace, ...]:
    """Score each of ``sessions`` as :func:`score_sessions` does, as one task for each on the workers of ``runner``."""
    tasks = [(position, session.recording) for position, session in enumerate(sessions)]
    # Long ones first, so that none of them is begun last.
    tasks.sort(key=lambda task: len(task[1]), reverse=True)
    scored = dict(runner.run("Scoring", partial(_score, model.data), tasks))
    return tuple(Trace(session, scored[position]) for position, session in enumerate(sessions))


def _score(model: bytes, task: tuple[int, Recording]) -> tuple[int, npt.NDArray[np.float32]]:
    position, recording = task
    return position, score_recording(_opened(model), recording)


@lru_cache(maxsize=2)
def _opened(model: bytes) -> Model:
    """Open a model, once in a process for all of its recordings."""
    return open_model(model)


def levels_of(trace: Trace, parameters: DecisionParameters) -> Levels:
    """Return the envelope over ``trace``, from which follow the spin-ups at any threshold."""
    end_ms = int(trace.time_ms[-1] + trace.step_ms)
    return follow(trace.time_ms, trace.probability, parameters, end_ms=end_ms)
