"""Compute features of windows, the numbers that an estimator gets.

They are computed by running the graph that model files contain.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from models.feature_sets import FITTED_SETS, RAW, feature_count
from models.graph.builder import GraphBuilder
from models.graph.features import add_features
from models.graph.samples import add_table
from models.runtime import InferenceSession, open_session
from stinger.sample import CHANNELS

CHUNK_SAMPLES: Final = 1 << 14
"""Samples per run of the graph, about 330 windows of 50 samples: they stay in the processor's cache."""

TrainingInput = npt.NDArray[np.float32] | npt.NDArray[np.int16]


def training_input(windows: npt.NDArray[np.int16], name: str) -> TrainingInput:
    """Return what an estimator on feature set ``name`` is fitted on and applied to.

    It is ``(n, k)`` for ``windows`` ``(n, w, 6)``. They are the features, or for ``raw`` and a set of
    :data:`FITTED_SETS` the windows, ``(n, 6 w) int16``; the estimator's first step then computes the features. Raises
    as :func:`compute_features` does.
    """
    if name in FITTED_SETS or name == RAW:
        feature_count(name, windows.shape[1])  # raises for windows that the set does not have
        return np.ascontiguousarray(windows).reshape(windows.shape[0], -1)
    return compute_features(windows, name)


def compute_features(
    windows: npt.NDArray[np.int16], name: str, *, chunk_samples: int = CHUNK_SAMPLES
) -> npt.NDArray[np.float32]:
    """Compute the feature set ``name`` of ``windows`` in raw LSB.

    ``windows`` are ``(n, w, 6) int16``, the result is ``(n, k) float32``; n may be 0. The order is that of
    :func:`models.feature_sets.feature_names`. Windows may overlap in memory, as in ``sliding_window_view``: no array as
    large as all windows is allocated except the result. ``chunk_samples`` are processed at a time.

    Raises :class:`~stinger.errors.InputError` for an unknown name or a window of a length that the feature set does not
    have, ``ValueError`` for an array of another shape or type.
    """
    if windows.ndim != 3 or windows.shape[2] != len(CHANNELS) or windows.shape[1] < 1:  # noqa: PLR2004
        raise ValueError(f"windows are (n, w, {len(CHANNELS)}) with w >= 1, not {windows.shape}")
    if windows.dtype != np.int16:
        raise ValueError(f"windows are int16, not {windows.dtype}")
    width = windows.shape[1]
    return run_in_chunks(_session(name, width), windows, (feature_count(name, width),), chunk_samples=chunk_samples)


def run_in_chunks(
    session: InferenceSession,
    windows: npt.NDArray[np.int16],
    shape: tuple[int, ...],
    *,
    chunk_samples: int = CHUNK_SAMPLES,
) -> npt.NDArray[np.float32]:
    """Return the only output of ``session`` for ``windows`` ``(n, w, 6)``, ``(n, *shape) float32``; n may be 0."""
    count, width = windows.shape[:2]
    output = np.empty((count, *shape), dtype=np.float32)
    chunk = max(1, chunk_samples // width)
    for start in range(0, count, chunk):
        part = np.ascontiguousarray(windows[start : start + chunk])
        (output[start : start + chunk],) = session.run(None, {"window": part})
    return output


@lru_cache(maxsize=16)
def _session(name: str, window_samples: int) -> InferenceSession:
    graph = GraphBuilder(window_samples)
    table = add_table(graph, add_features(graph, name))
    return open_session(graph.finish({}, output=table, shape=("n", feature_count(name, window_samples))))
