"""Fit the feature set ``kernels``: a transformer of scikit-learn, the first step of an estimator's pipeline."""

from __future__ import annotations

from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import StandardScaler

from models.feature_sets import KERNEL_DILATIONS, KERNEL_THRESHOLDS, KERNELS
from models.features import run_in_chunks
from models.graph.builder import GraphBuilder
from models.graph.kernels import KERNEL_CHANNELS, KernelParameters, add_kernel_channels, add_kernels, add_outputs
from models.graph.samples import add_table
from models.runtime import open_session
from stinger.mlmd import WINDOW_SAMPLES
from stinger.sample import CHANNELS

MOST_CHANNELS: Final = 3
"""A kernel uses one to three channels."""
SAMPLED_ROWS: Final = 512
"""Rows of each class that scales and thresholds are taken from."""
QUANTILES: Final = (0.1, 0.25, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98)
"""The thresholds of a kernel are three of these quantiles of its output, chosen at random."""
SCALED_ROWS: Final = 20_000
"""Rows that means and deviations of the features are taken from."""
LEAST_THRESHOLD: Final = 1e-3
"""In standard deviations of a channel. At a threshold of 0, rounding errors would decide about a channel at rest."""

Rows = npt.NDArray[np.int16]


class KernelFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """Turns windows, flattened to ``(n, 300) int16``, into the features ``(n, 1344) float32`` of random kernels.

    ``fit`` chooses the channels of each kernel at random, scales each channel by its standard deviation over the rows,
    and takes the thresholds from the kernels' outputs on them. ``parameters_`` is what was fitted.
    """

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, rows: Rows, labels: npt.NDArray[Any]) -> Self:
        """Fit on as many rows with a shot as without."""
        rng = np.random.default_rng(self.random_state)
        windows = _windows(rows[_sample(labels, rng)])
        dilations = len(KERNEL_DILATIONS)
        graph = GraphBuilder()
        channels = _run(graph, add_kernel_channels(graph), windows, (KERNEL_CHANNELS, WINDOW_SAMPLES))
        scale = channels.std(axis=(0, 2), dtype=np.float64)
        order = rng.random((dilations, KERNELS, KERNEL_CHANNELS)).argsort(axis=2)
        used = order < rng.integers(1, MOST_CHANNELS + 1, (dilations, KERNELS, 1))
        factors = used / np.where(scale > 0, scale, 1)
        graph = GraphBuilder()
        outputs = _run(graph, add_outputs(graph, factors), windows, (dilations * KERNELS, 1, WINDOW_SAMPLES))
        by_kernel = np.moveaxis(outputs, 1, 0).reshape(dilations * KERNELS, -1)
        chosen = np.sort(rng.random((dilations * KERNELS, len(QUANTILES))).argsort(axis=1)[:, :KERNEL_THRESHOLDS])
        thresholds = np.take_along_axis(np.quantile(by_kernel, QUANTILES, axis=1).T, chosen, axis=1).astype(np.float64)
        thresholds = np.where(np.abs(thresholds) < LEAST_THRESHOLD, LEAST_THRESHOLD, thresholds)
        self.parameters_ = KernelParameters(factors, thresholds.reshape(dilations, KERNELS, -1))
        return self

    def transform(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Return the features of each row."""
        graph = GraphBuilder()
        nodes = add_kernels(graph, self.parameters_)
        return _run(graph, add_table(graph, nodes), _windows(rows), (nodes.width,))


class SampledScaler(StandardScaler):  # type: ignore[misc]  # scikit-learn has no type hints
    """A StandardScaler that is fitted on a part of the rows and changes them in place.

    StandardScaler itself makes two copies of all rows, which is 2 GB for 200,000 rows of ``kernels``.
    """

    def __init__(self) -> None:
        super().__init__(copy=False)

    def fit(self, rows: npt.NDArray[np.float32], labels: object = None) -> Self:
        """Fit on at most :data:`SCALED_ROWS` of ``rows`` ``(n, k)``, at equal distances."""
        del labels
        super().fit(rows[:: -(-rows.shape[0] // SCALED_ROWS)])
        return self


def _sample(labels: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return at most :data:`SAMPLED_ROWS` random rows of each class."""
    of_class = [rng.permutation(np.flatnonzero(labels == label))[:SAMPLED_ROWS] for label in np.unique(labels)]
    return np.concatenate(of_class)


def _windows(rows: Rows) -> npt.NDArray[np.int16]:
    return np.asarray(rows, dtype=np.int16).reshape(-1, WINDOW_SAMPLES, len(CHANNELS))


def _run(
    graph: GraphBuilder, output: str, windows: npt.NDArray[np.int16], shape: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Return the tensor ``output`` of ``graph``, ``(n, *shape)``, for ``windows``."""
    return run_in_chunks(open_session(graph.finish({}, output=output, shape=("n", *shape))), windows, shape)
