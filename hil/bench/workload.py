"""What an emulated device plays in a scenario: exactly so many seconds, with shots in them where they are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from models.synthetic import synthesise
from stinger.errors import InputError
from stinger.logs import read_log, write_log
from stinger.recording import Recording, split_recordings
from stinger.sample import SAMPLE_RATE_HZ, SampleArray
from stinger.shots import find_shots

SYNTHETIC: Final = "synthetic"
QUIET_START_S: Final = 1.0
"""No shot this soon: the first window must have been filled, and the links be there."""

_STEP_MS: Final = 1000 // SAMPLE_RATE_HZ
_ROOM_S: Final = 120.0
"""How much longer a synthetic session is than the stretch that is chosen from it."""


def make_workload(source: str, seconds: float, *, seed: int, shots: bool) -> SampleArray:
    """``seconds`` of 100 Hz samples ``(n,)`` from ``source``: ``synthetic``, or a recording's path.

    With ``shots`` it is the stretch with the most trigger edges, else the beginning; a recording that is too short
    is played again and again, its clock going on. Gaps are closed: a bench's device does not rest. Raises
    :class:`InputError` for a recording that cannot be read or is at another rate.
    """
    count = round(seconds * SAMPLE_RATE_HZ)
    if source == SYNTHETIC:
        session = synthesise(minutes=(seconds + _ROOM_S) / 60, seed=seed, still_pause=False)
    else:
        session = _longest(source).samples
    samples = session[(_start(session, count, shots=shots) + np.arange(count)) % session.size]
    samples["timestamp_ms"] = 1000 + _STEP_MS * np.arange(count)
    return samples


def check_workload_source(source: str) -> None:
    """Raise :class:`InputError` unless :func:`make_workload` can be had from ``source``."""
    if source != SYNTHETIC:
        _longest(source)


def write_material(path: Path, samples: SampleArray) -> None:
    """Keep it as a log that an emulated device can play."""
    write_log(path, samples)


def _longest(source: str) -> Recording:
    recording = max(read_log(source).recordings, key=len)
    if recording.step_ms is None or round(recording.step_ms) != _STEP_MS:
        raise InputError(f"{source}: a bench plays 100 samples a second, and these are {recording.rate_hz or 0:.1f}")
    return recording


def _start(session: SampleArray, count: int, *, shots: bool) -> int:
    """Where the stretch of ``count`` samples with the most edges after its first second begins."""
    if not shots or session.size <= count:
        return 0
    edge = np.zeros(session.size, dtype=np.int64)
    for recording in split_recordings(session):
        edge[find_shots(recording).index] = 1
    before = np.concatenate(([0], np.cumsum(edge)))
    quiet = round(QUIET_START_S * SAMPLE_RATE_HZ)
    starts = np.arange(session.size - count + 1)
    return int(np.argmax(before[starts + count] - before[np.minimum(starts + quiet, starts + count)]))
