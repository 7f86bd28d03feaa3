"""The workload of a scenario: the samples that an emulated device plays.

They have a given length, and shots if wanted.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.synthetic import synthesise
from stinger.errors import InputError
from stinger.logs import read_log
from stinger.recording import Recording, split_recordings
from stinger.sample import SAMPLE_RATE_HZ, SampleArray
from stinger.shots import find_shots

SYNTHETIC: Final = "synthetic"
QUIET_START_S: Final = 1.0
"""Shots before this do not count in the choice: the links must be open and the first window filled."""

_STEP_MS: Final = 1000 // SAMPLE_RATE_HZ
_EXTRA_S: Final = 120.0
"""How much longer a synthetic session is than the excerpt chosen from it."""


def make_workload(source: str, seconds: float, *, seed: int, shots: bool) -> SampleArray:
    """Return ``seconds`` of 100 Hz samples ``(n,)`` from ``source``: ``synthetic``, or the path of a recording.

    With ``shots`` it is the excerpt with the most trigger edges, otherwise the beginning. A recording that is too short
    is repeated, with timestamps that continue. Gaps are closed. Raises :class:`InputError` for a recording that cannot
    be read or has another rate.
    """
    count = round(seconds * SAMPLE_RATE_HZ)
    if source == SYNTHETIC:
        session = synthesise(minutes=(seconds + _EXTRA_S) / 60, seed=seed, still_pause=False)
    else:
        session = _longest_recording(source).samples
    samples = session[(_start(session, count, shots=shots) + np.arange(count)) % session.size]
    samples["timestamp_ms"] = 1000 + _STEP_MS * np.arange(count)
    return samples


def check_workload_source(source: str) -> None:
    """Raise :class:`InputError` if :func:`make_workload` cannot use ``source``."""
    if source != SYNTHETIC:
        _longest_recording(source)


def _longest_recording(source: str) -> Recording:
    recording = max(read_log(source).recordings, key=len)
    if recording.step_ms is None or round(recording.step_ms) != _STEP_MS:
        raise InputError(f"{source}: the bench plays {SAMPLE_RATE_HZ} Hz, but this is {recording.rate_hz or 0:.1f} Hz")
    return recording


def _start(session: SampleArray, count: int, *, shots: bool) -> int:
    """Return the start of the excerpt of ``count`` samples with the most trigger edges after its first second."""
    if not shots or session.size <= count:
        return 0
    edge = np.zeros(session.size, dtype=np.int64)
    for recording in split_recordings(session):
        edge[find_shots(recording).index] = 1
    before = np.concatenate(([0], np.cumsum(edge)))
    quiet = round(QUIET_START_S * SAMPLE_RATE_HZ)
    starts = np.arange(session.size - count + 1)
    return int(np.argmax(before[starts + count] - before[np.minimum(starts + quiet, starts + count)]))
