"""The feature set ``motion`` as graph nodes: how the blaster moves, over the last 100, 250 and 500 ms of a window."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from models.feature_sets import MOTION_SIGNALS, MOTION_SLICES, MOTION_SPANS
from models.graph.builder import GraphBuilder
from models.graph.samples import FeatureNodes, add_absolute_sums, add_sizes, add_statistics

_AXES_COLUMNS: Final = 24
_MAGNITUDES: Final = 2
"""The first signals are magnitudes, the others are changes."""


def add_motion(graph: GraphBuilder) -> FeatureNodes:
    """Add the nodes of ``motion``; :func:`models.feature_sets.feature_names` lists its features."""
    width, signals, spans = graph.window_samples, len(MOTION_SIGNALS), len(MOTION_SPANS)
    axes = add_statistics(graph)
    values = add_sizes(graph)
    weights = _weights(width)
    # (n, 2 spans + 1, signals): the last of the means is that of the whole window.
    sums = graph.add("MatMul", graph.constant(weights, np.float64), values)
    mean = graph.add("Slice", sums, graph.axes(spans - 1), graph.axes(spans), graph.axes(1))
    off = graph.add("Sub", values, mean)
    squares = graph.add("MatMul", graph.constant(weights[:spans], np.float64), graph.add("Mul", off, off))
    by_slice = graph.add("Reshape", values, graph.axes(0, MOTION_SLICES, width // MOTION_SLICES, signals))
    parts = [
        sums,
        graph.add("Sqrt", squares),
        graph.add("ReduceMax", by_slice, graph.axes(2), keepdims=0),
        graph.add("ReduceMin", by_slice, graph.axes(2), keepdims=0),
    ]
    rows = 3 * spans + 1 + 2 * MOTION_SLICES
    of_signals = graph.add("Reshape", graph.add("Concat", *parts, axis=1), graph.axes(0, rows * signals))
    count = _AXES_COLUMNS + rows * signals
    column = np.arange(_AXES_COLUMNS, count).reshape(rows, signals)
    without_minima, minima = np.split(column, [rows - MOTION_SLICES])
    columns = np.concatenate((np.arange(_AXES_COLUMNS), without_minima.ravel(), minima[:, :_MAGNITUDES].ravel()))
    factors = np.ones(columns.size)
    factors[[*range(12), *range(18, _AXES_COLUMNS)]] = 1 / width
    parts = [axes.sums, axes.deviations, axes.largest, add_absolute_sums(graph), of_signals]
    return FeatureNodes(graph.add("Concat", *parts, axis=1), count, columns, factors)


def _weights(width: int) -> npt.NDArray[np.float64]:
    """Return weights of samples ``(2 spans + 1, w)``: means over the spans, newest minus oldest of each, and the newest."""
    spans = np.array(MOTION_SPANS)
    inside = np.arange(width) >= width - spans[:, None]
    newest = np.zeros((1, width))
    newest[:, -1] = 1
    oldest = np.zeros((spans.size, width))
    oldest[np.arange(spans.size), width - spans] = 1
    return np.concatenate((inside / spans[:, None], newest - oldest, newest))
