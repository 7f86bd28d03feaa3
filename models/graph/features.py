"""The feature sets as graph nodes.

Training computes features by running these nodes, so each has one definition. Raw samples are integers, and nodes
compute in float64: sums of samples are exact, in whatever order a runtime adds them, and everything else is rounded
once more at the end, to float32. So a feature is practically always on the same side of a tree's threshold, however
many windows are scored at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from models.feature_sets import FITTED_SETS, RAW, check_feature_set
from models.graph.builder import GraphBuilder
from models.graph.invariant import add_invariant
from models.graph.kernels import KernelParameters, add_kernels
from models.graph.motion import add_motion
from models.graph.samples import (
    FeatureNodes,
    add_absolute_sums,
    add_channels,
    add_magnitudes,
    add_statistics,
    add_statistics_with_magnitudes,
)
from stinger.sample import CHANNELS


def add_features(graph: GraphBuilder, name: str, fitted: KernelParameters | None = None) -> FeatureNodes:
    """Add the nodes of feature set ``name``, with the ``fitted`` parameters if it is one of :data:`FITTED_SETS`.

    Raises :class:`~stinger.errors.InputError` for an unknown one, ``ValueError`` if ``fitted`` is missing.
    """
    check_feature_set(name)
    if name in FITTED_SETS:
        if fitted is None:
            raise ValueError(f"{name} features have to be fitted")
        return add_kernels(graph, fitted)
    return _SETS[name](graph)


def _flatten(graph: GraphBuilder) -> FeatureNodes:
    count = graph.window_samples * len(CHANNELS)
    values = graph.add("Reshape", add_channels(graph), graph.axes(0, count))
    return FeatureNodes(values, count, np.arange(count), np.ones(count))


def _summary(graph: GraphBuilder) -> FeatureNodes:
    """Add mean, standard deviation and largest absolute value of each channel."""
    found = add_statistics(graph)
    joined = graph.add("Concat", found.sums, found.deviations, found.largest, axis=1)
    share = 1 / graph.window_samples
    return FeatureNodes(joined, width=18, columns=np.arange(18), factors=np.repeat([share, share, 1], 6))


def _rich(graph: GraphBuilder) -> FeatureNodes:
    """Add ``summary``, the mean absolute value of each channel, and mean, deviation and maximum of both magnitudes."""
    found = add_statistics_with_magnitudes(graph)
    magnitude_max = graph.add("ReduceMax", add_magnitudes(graph), graph.axes(1), keepdims=0)
    parts = (found.sums, found.deviations, found.largest, add_absolute_sums(graph), magnitude_max)
    # Six channels and both magnitudes have sums and deviations; then come two parts of the channels, one of the
    # magnitudes.
    channels = np.concatenate((np.arange(6), np.arange(8, 14), np.arange(16, 28)))
    columns = np.concatenate((channels, [6, 14, 28], [7, 15, 29]))
    factors = np.full(30, 1 / graph.window_samples)
    factors[[*range(16, 22), 28, 29]] = 1
    return FeatureNodes(graph.add("Concat", *parts, axis=1), 30, columns, factors[columns])


_SETS: Final[dict[str, Callable[[GraphBuilder], FeatureNodes]]] = {
    "summary": _summary,
    "rich": _rich,
    "flatten": _flatten,
    RAW: _flatten,
    "motion": add_motion,
    "invariant": partial(add_invariant, rich=False),
    "invariant_rich": partial(add_invariant, rich=True),
}
