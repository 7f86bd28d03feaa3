"""Prepare lines for plots: break them at gaps of a recording, and reduce their points without losing peaks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.windows import Indices
from stinger.recording import GAP_STEPS, Recording

_PAIR = 2
"""Number of samples that remain of a stretch."""

Values = npt.NDArray[np.float64]


def breaks_in(recording: Recording, index: Indices) -> Indices:
    """Return the positions in ``index`` (samples of ``recording``, ascending) before which there is a gap."""
    if not index.size or recording.step_ms is None:
        return np.empty(0, dtype=np.intp)
    # Use only the part that `index` spans, because excerpts come from long recordings.
    steps = np.diff(recording.time_ms[index[0] : index[-1] + 1])
    gaps = index[0] + 1 + np.flatnonzero(steps > GAP_STEPS * recording.step_ms)
    return np.flatnonzero(np.diff(np.searchsorted(gaps, index, side="right"))) + 1


def broken(x: Values, y: Values, breaks: Indices) -> tuple[Values, Values]:
    """Insert a row of NaN before each position in ``breaks``: lines break there.

    ``x`` is ``(n,)`` and ``y`` ``(n, k)``.
    """
    return np.insert(x, breaks, np.nan), np.insert(y, breaks, np.nan, axis=0)


def thinned(x: Values, y: Values, breaks: Indices, max_points: int) -> tuple[Values, Values]:
    """Reduce the line ``x``, ``y`` ``(n,)`` to about ``max_points`` points.

    It is broken at ``breaks`` and where ``y`` is NaN. Of each stretch of samples the lowest and the highest remain, so
    no peak is lost.
    """
    known = np.flatnonzero(~np.isnan(y))
    apart = np.flatnonzero(np.diff(known) > 1) + 1
    cuts = np.union1d(apart, np.searchsorted(known, breaks))
    stretch = -(-_PAIR * known.size // max(_PAIR, max_points))
    parts = [_extremes(y, run, stretch) for run in np.split(known, cuts) if run.size]
    if not parts:
        return x[:0], y[:0]
    ends = np.cumsum([part.size for part in parts])[:-1]
    kept = np.concatenate(parts)
    return np.insert(x[kept], ends, np.nan), np.insert(y[kept], ends, np.nan)


def _extremes(y: Values, run: Indices, stretch: int) -> Indices:
    """Return the lowest and the highest of each ``stretch`` samples of ``run``, in order of time, and the ends of the run."""
    if stretch <= _PAIR:
        return run
    rows = -(-run.size // stretch)
    table = run[np.minimum(np.arange(rows * stretch), run.size - 1)].reshape(rows, stretch)
    values = y[table]
    pair = np.sort(np.stack((values.argmin(axis=1), values.argmax(axis=1)), axis=1), axis=1)
    return np.unique(np.concatenate((run[:1], np.take_along_axis(table, pair, axis=1).ravel(), run[-1:])))
