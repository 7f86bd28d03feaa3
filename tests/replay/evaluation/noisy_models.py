"""Outputs of models of a given quality: a signal before each shot, and slow noise."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from models.sessions import Session
from replay.trace import Trace
from tests.helpers.retraining import session_of
from tests.helpers.synthetic import synthetic_samples


def sessions_of(count: int, *, samples: int = 9000, shots: int = 25) -> list[Session]:
    return [session_of(synthetic_samples(samples, shots, seed=seed), f"s{seed}") for seed in range(count)]


def outputs(
    sessions: list[Session], rng: np.random.Generator, *, skill: float = 4.0, noise: float = 1.0
) -> list[Trace]:
    """Return traces whose output rises by ``skill`` (log odds) from 400 ms before each shot, with noise of 0.3 s."""
    keep = np.exp(-1 / 30)
    traces = []
    for session in sessions:
        level = np.full(len(session.recording), -2.5)
        for shot in session.shots.index:
            level[max(0, shot - 40) : shot + 10] += skill
        # The same handling of the blaster misleads every model alike.
        same = np.random.default_rng(len(session.recording) + int(session.name[1:]))
        for source, size in ((same, 1.5), (rng, noise)):
            level += lfilter([np.sqrt(1 - keep**2)], [1, -keep], source.normal(size=level.size)) * size
        traces.append(Trace(session, (1 / (1 + np.exp(-level))).astype(np.float32)))
    return traces
