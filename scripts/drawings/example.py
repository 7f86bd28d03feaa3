"""The example of the drawings: a synthetic session, and what the factory model makes of it.

The model was not trained on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.decision_parameters import DecisionParameters
from models.factory import factory_model
from models.levels import SpinUps
from models.sessions import Session, open_sessions
from models.synthetic import synthesise
from replay.evaluation.events import Events, match_events
from replay.trace import Trace, levels_of, score_sessions
from stinger.logs import parse_log
from stinger.logs.writing import encode_bin
from stinger.shots import MIN_LEAD_MS

MINUTES: Final = 20
SEED: Final = 2027
"""The factory model was trained on the seeds 1 to 12."""
PARAMETERS: Final = DecisionParameters(on=0.30)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A session with the model's output.

    It has the spin-ups at :data:`PARAMETERS`, and how they are matched to accepted shots.
    """

    trace: Trace
    spin_ups: SpinUps
    events: Events

    @property
    def session(self) -> Session:
        """The session."""
        return self.trace.session

    @property
    def accepted_ms(self) -> npt.NDArray[np.int64]:
        """``(m,)``: times of the accepted shots, to which ``events`` refer."""
        shots = self.session.shots
        return shots.time_ms[shots.accepted]

    @property
    def degrees_a_second(self) -> npt.NDArray[np.float64]:
        """``(n,)``: how fast the blaster turns, the magnitude of the gyroscope."""
        turning: npt.NDArray[np.float64] = np.linalg.norm(self.session.recording.axes[:, 3:] / 16.384, axis=1)
        return turning

    def between(self, start_ms: float, end_ms: float) -> slice:
        """Return the samples from ``start_ms`` to ``end_ms``."""
        first, last = np.searchsorted(self.trace.time_ms, (start_ms, end_ms))
        return slice(int(first), int(last))


def make_example(minutes: float = MINUTES) -> Example:
    """Return the example, ``minutes`` long; the same NumPy and ONNX Runtime give the same one."""
    log = parse_log(encode_bin(synthesise(minutes=minutes, seed=SEED)), "example")
    (session,) = open_sessions([log])
    (trace,) = score_sessions(factory_model(), [session])
    spin_ups = levels_of(trace, PARAMETERS).spin_ups(PARAMETERS.on, PARAMETERS.off)
    accepted_ms = session.shots.time_ms[session.shots.accepted]
    return Example(trace, spin_ups, match_events(spin_ups.times_ms, accepted_ms, min_lead_ms=MIN_LEAD_MS))
