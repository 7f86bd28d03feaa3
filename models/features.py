"""Compute features of windows, the numbers that an estimator gets, by running the graph that model files contain."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from models.feature_sets import feature_count
from models.graph.builder import GraphBuilder
from models.graph.features import add_features
from models.graph.samples import add_table
from models.model_file import open_session
from models.runtime import InferenceSession
from stinger.sample import CHANNELS

CHUNK_SAMPLES: Final = 1 << 14
"""Samples per run of the graph, about 330 windows of 50 samples: they stay in the processor's cache."""

TrainingInput = npt.NDArray[np.float32] | npt.NDArray[np.int16]


def training_input(windows: npt.NDArray[np.int16], name: str) -> TrainingInput:
    """Return what an estimator on feature set ``name`` is fitted on and applied to, ``(n, k)`` for ``windows`` ``(n, w, 6)``.

    Raises as :func:`compute_features` does.
    """
    return compute_features(windows, name)


def compute_features(
    windows: npt.NDArray[np.int16], name: str, *, chunk_samples: int = CHUNK_SAMPLES
) -> npt.NDArray[np.float32]:
    """Compute the feature set ``name`` of ``windows`` ``(n, w, 6) int16`` in raw LSB, as ``(n, k) float32``; n may be 0.

    The order is that of :func:`models.feature_sets.feature_names`. Windows may overlap in memory, as in
    ``sliding_window_view``: no array as large as all windows is allocated except the result. ``chunk_samples`` are processed
    at a time.

    Raises :class:`InputError` for an unknown name or a window of a length that the feature set does not have, ``ValueError``
    for an array of another shape or type.
    """
    if windows.ndim != 3 or windows.shape[2] != len(CHANNELS) or windows.shape[1] < 1:  # noqa: PLR2004
        raise ValueError(f"windows are (n, w, {len(CHANNELS)}) with w >= 1, not {windows.shape}")
    if windows.dtype != np.int16:
        raise ValueError(f"windows are int16, not {windows.dtype}")
    count, width = windows.shape[:2]
    features = np.empty((count, feature_count(name, width)), dtype=np.float32)
    session = _session(name, width)
    chunk = max(1, chunk_samples // width)
    for start in range(0, count, chunk):
        part = np.ascontiguousarray(windows[start : start + chunk])
        (features[start : start + chunk],) = session.run(None, {"window": part})
    return features


@lru_cache(maxsize=16)
def _session(name: str, window_samples: int) -> InferenceSession:
    graph = GraphBuilder(window_samples)
    table = add_table(graph, add_features(graph, name))
    return open_session(graph.finish({}, output=table, shape=("n", feature_count(name, window_samples))))
