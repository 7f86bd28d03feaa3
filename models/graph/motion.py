"""The feature set ``motion`` as graph nodes: how the blaster moves, over the last 100, 250 and 500 ms of a window."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.feature_sets import MOTION_SIGNALS, MOTION_SLICES, MOTION_SPANS
from models.graph.builder import GraphBuilder
from models.graph.samples import FeatureNodes, add_channels, add_statistics

_AXES_COLUMNS = 24


def add_motion(graph: GraphBuilder) -> FeatureNodes:
    """Add the nodes of ``motion``; :func:`models.feature_sets.feature_names` lists its features."""
    width, signals, spans = graph.window_samples, len(MOTION_SIGNALS), len(MOTION_SPANS)
    channels = add_channels(graph)
    statistics = add_statistics(graph, channels, mean_absolute=True)
    of_axes = graph.add("Reshape", graph.add("Concat", *statistics, axis=1), graph.axes(0, _AXES_COLUMNS))
    values = _signals(graph, channels, mean=statistics[0])
    weights = _weights(width)
    # (n, 2 spans + 1, signals): the last of the means is that of the whole window.
    sums = graph.add("MatMul", graph.constant(weights, np.float64), values)
    mean = graph.add("Slice", sums, graph.axes(spans - 1), graph.axes(spans), graph.axes(1))
    off = graph.add("Sub", values, mean)
    squares = graph.add("MatMul", graph.constant(weights[:spans], np.float64), graph.add("Mul", off, off))
    by_slice = graph.add("Reshape", values, graph.axes(0, MOTION_SLICES, -1, signals))
    parts = [
        sums,
        graph.add("Sqrt", squares),
        graph.add("ReduceMax", by_slice, graph.axes(2), keepdims=0),
        graph.add("ReduceMin", by_slice, graph.axes(2), keepdims=0),
    ]
    rows = 3 * spans + 1 + 2 * MOTION_SLICES
    of_signals = graph.add("Reshape", graph.add("Concat", *parts, axis=1), graph.axes(0, rows * signals))
    count = _AXES_COLUMNS + rows * signals
    factors = np.ones(count)
    factors[6:12] = width**-0.5
    return FeatureNodes(graph.add("Concat", of_axes, of_signals, axis=1), count, np.arange(count), factors)


def _signals(graph: GraphBuilder, channels: str, *, mean: str) -> str:
    """Add the signals :data:`MOTION_SIGNALS` of ``channels`` ``(n, w, 6)`` with their ``mean`` ``(n, 1, 6)``.

    Returns the name of a tensor ``(n, w, signals) float64``.
    """
    width = graph.window_samples
    # The change since the sample before, 0 for the first one.
    before = graph.add("Gather", channels, graph.axes(0, *range(width - 1)), axis=1)
    both = graph.add("Concat", channels, graph.add("Sub", channels, before), axis=2)
    sizes = graph.add("ReduceL2", graph.add("Reshape", both, graph.axes(0, width, 4, 3)), graph.axes(3), keepdims=0)
    # Turning about the vertical: the mean acceleration shows where up is. If it is 0, so is the direction.
    acceleration = graph.add("Slice", mean, graph.axes(0), graph.axes(3), graph.axes(2))
    up = graph.add("Reshape", graph.add("LpNormalization", acceleration, axis=2, p=2), graph.axes(0, 3, 1))
    turning = graph.add("Slice", channels, graph.axes(3), graph.axes(6), graph.axes(2))
    return graph.add("Concat", sizes, graph.add("MatMul", turning, up), axis=2)


def _weights(width: int) -> npt.NDArray[np.float64]:
    """Return weights of samples ``(2 spans + 1, w)``: means over the spans, newest minus oldest of each, and the newest."""
    spans = np.array(MOTION_SPANS)
    inside = np.arange(width) >= width - spans[:, None]
    newest = np.zeros((1, width))
    newest[:, -1] = 1
    oldest = np.zeros((spans.size, width))
    oldest[np.arange(spans.size), width - spans] = 1
    return np.concatenate((inside / spans[:, None], newest - oldest, newest))
