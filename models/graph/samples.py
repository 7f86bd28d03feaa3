"""What all feature sets have in common: the samples as tensors, and the names of a set's columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from models.graph.builder import INPUT, GraphBuilder


@dataclass(frozen=True, slots=True, eq=False)
class FeatureNodes:
    """The features of a window among the columns of a tensor.

    ``values`` is the name of a tensor ``(n, width)`` of ``dtype``. Feature ``j`` is its column ``columns[j]`` times
    ``factors[j]``; both are ``(k,)``. A scaler or :func:`add_table` includes the factors, which saves nodes.
    """

    values: str
    width: int
    columns: npt.NDArray[np.intp]
    factors: npt.NDArray[np.float64]
    dtype: type[np.float64 | np.float32] = np.float64


def add_table(graph: GraphBuilder, nodes: FeatureNodes) -> str:
    """Add the features themselves as one tensor, and return its name: ``(n, k) float32``."""
    values = nodes.values
    if not np.array_equal(nodes.columns, np.arange(nodes.width)):
        values = graph.add("Gather", values, graph.constant(nodes.columns, np.int64), axis=1)
    if not (nodes.factors == 1).all():
        values = graph.add("Mul", values, graph.constant(nodes.factors, nodes.dtype))
    return values if nodes.dtype is np.float32 else graph.add("Cast", values, to=TensorProto.FLOAT)


def add_channels(graph: GraphBuilder) -> str:
    """Add the samples as numbers to compute with: ``(n, w, 6) float64``."""
    return graph.add("Cast", INPUT, to=TensorProto.DOUBLE)


def add_samples(graph: GraphBuilder) -> str:
    """Add the samples by sensor, accelerometer and gyroscope: ``(n, w, 2, 3) float64``."""
    return graph.add("Reshape", add_channels(graph), graph.axes(0, graph.window_samples, 2, 3))


def add_magnitudes(graph: GraphBuilder) -> str:
    """Add the magnitude of each sensor's samples: ``(n, w, 2, 1) float64``."""
    return graph.add("ReduceL2", add_samples(graph), graph.axes(3), keepdims=1)


def add_both(graph: GraphBuilder) -> str:
    """Add each channel, and its change since the sample before, which is 0 for the first one: ``(n, w, 12) float64``."""
    channels = add_channels(graph)
    before = graph.add("Gather", channels, graph.axes(0, *range(graph.window_samples - 1)), axis=1)
    return graph.add("Concat", channels, graph.add("Sub", channels, before), axis=2)


def add_sizes(graph: GraphBuilder) -> str:
    """Add the magnitudes of both sensors, and the sizes of the changes of both: ``(n, w, 4) float64``."""
    by_sensor = graph.add("Reshape", add_both(graph), graph.axes(0, graph.window_samples, 4, 3))
    return graph.add("ReduceL2", by_sensor, graph.axes(3), keepdims=0)


def add_statistics(graph: GraphBuilder, values: str, *, mean_absolute: bool) -> list[str]:
    """Add statistics of ``values`` ``(n, w, ...)`` over the window; each keeps axis 1.

    They are the mean, the root of the sum of squared differences from it, which is the standard deviation times the root of
    ``w``, the largest absolute value, and, if wanted, the mean absolute value.
    """
    mean = graph.add("ReduceMean", values, graph.axes(1), keepdims=1)
    norm = graph.add("ReduceL2", graph.add("Sub", values, mean), graph.axes(1), keepdims=1)
    absolute = graph.add("Abs", values)
    statistics = [mean, norm, graph.add("ReduceMax", absolute, graph.axes(1), keepdims=1)]
    if mean_absolute:
        statistics.append(graph.add("ReduceMean", absolute, graph.axes(1), keepdims=1))
    return statistics
