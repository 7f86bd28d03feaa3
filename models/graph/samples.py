"""What all feature sets have in common: the samples as tensors, and the names of a set's columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from models.graph.builder import INPUT, GraphBuilder
from stinger.sample import CHANNELS

_BY_SENSOR: Final = np.repeat(np.eye(2), 3, axis=0)
"""Adds up the three channels of each sensor."""


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
    """Add the magnitude of both sensors' samples: ``(n, w, 2) float64``."""
    squares = graph.add("Reshape", _add_squares(graph), graph.axes(0, graph.window_samples, len(CHANNELS)))
    return graph.add("Sqrt", graph.add("MatMul", squares, graph.constant(_BY_SENSOR, np.float64)))


def add_energies(graph: GraphBuilder) -> str:
    """Add the sum of the squares of both sensors' samples over the window, times ``w``: ``(n, 2) float64``, exact."""
    return graph.add("MatMul", add_square_sums(graph), graph.constant(_BY_SENSOR, np.float64))


def add_square_sums(graph: GraphBuilder) -> str:
    """Add the sum of the squares of each channel over the window, times ``w``: ``(n, 6) float64``, exact."""
    return _add_sums(graph, _add_squares(graph), len(CHANNELS), factor=graph.window_samples)


def add_channels_and_changes(graph: GraphBuilder) -> str:
    """Add each channel and its change since the sample before: ``(n, w, 12) float64``.

    The change of the first sample is 0.
    """
    channels = add_channels(graph)
    before = graph.add("Gather", channels, graph.axes(0, *range(graph.window_samples - 1)), axis=1)
    return graph.add("Concat", channels, graph.add("Sub", channels, before), axis=2)


def add_sizes(graph: GraphBuilder) -> str:
    """Add the magnitudes of both sensors, and the sizes of the changes of both: ``(n, w, 4) float64``."""
    by_sensor = graph.add("Reshape", add_channels_and_changes(graph), graph.axes(0, graph.window_samples, 4, 3))
    return graph.add("ReduceL2", by_sensor, graph.axes(3), keepdims=0)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics over the window of some signals, as names of tensors ``(n, signals) float64``."""

    sums: str
    deviations: str
    """Standard deviations times ``w``."""
    largest: str
    """Largest absolute values."""


def add_statistics(graph: GraphBuilder) -> Statistics:
    """Add statistics of the six channels."""
    sums = _add_sums(graph, _add_flat(graph), len(CHANNELS))
    return Statistics(sums, graph.add("Sqrt", _add_variances(graph, sums)), _add_largest(graph))


def add_statistics_with_magnitudes(graph: GraphBuilder) -> Statistics:
    """Add statistics of the six channels and then of both magnitudes, except that ``largest`` is of the channels only."""
    width = graph.window_samples
    sums = _add_sums(graph, _add_flat(graph), len(CHANNELS))
    magnitudes = graph.add("Reshape", add_magnitudes(graph), graph.axes(0, 2 * width))
    magnitude_sums = _add_sums(graph, magnitudes, 2)
    # Magnitudes are no whole numbers: the difference of two large sums would not be exact, so their mean is subtracted
    # first.
    mean = graph.add("MatMul", magnitude_sums, graph.constant(np.tile(np.eye(2) / width, width), np.float64))
    off = graph.add("Sub", magnitudes, mean)
    variances = _add_sums(graph, graph.add("Mul", off, off), 2, factor=width)
    both = graph.add("Concat", _add_variances(graph, sums), variances, axis=1)
    return Statistics(graph.add("Concat", sums, magnitude_sums, axis=1), graph.add("Sqrt", both), _add_largest(graph))


def add_absolute_sums(graph: GraphBuilder) -> str:
    """Add the sum of the absolute values of each channel over the window: ``(n, 6) float64``, exact."""
    width = graph.window_samples * len(CHANNELS)
    return _add_sums(graph, graph.add("Reshape", _add_absolute(graph), graph.axes(0, width)), len(CHANNELS))


def _add_flat(graph: GraphBuilder) -> str:
    """Add the samples in one row for each window: ``(n, 6 w) float64``."""
    return graph.add("Reshape", add_channels(graph), graph.axes(0, graph.window_samples * len(CHANNELS)))


def _add_squares(graph: GraphBuilder) -> str:
    """Add the squares of the samples, in one row for each window: ``(n, 6 w) float64``."""
    return graph.add("Mul", _add_flat(graph), _add_flat(graph))


def _add_absolute(graph: GraphBuilder) -> str:
    """Add the absolute values of the samples: ``(n, w, 6) float64``."""
    return graph.add("Abs", add_channels(graph))


def _add_sums(graph: GraphBuilder, rows: str, signals: int, *, factor: float = 1.0) -> str:
    """Add the sums over the window, times ``factor``, of ``rows`` ``(n, w signals)``: ``(n, signals)``.

    As a product with a matrix of zeros and ones: for many windows that takes a third of the time of ONNX Runtime's
    sums.
    """
    ones = np.tile(factor * np.eye(signals), (graph.window_samples, 1))
    return graph.add("MatMul", rows, graph.constant(ones, np.float64))


def _add_largest(graph: GraphBuilder) -> str:
    """Add the largest absolute value of each channel: ``(n, 6) float64``."""
    return graph.add("ReduceMax", _add_absolute(graph), graph.axes(1), keepdims=0)


def _add_variances(graph: GraphBuilder, sums: str) -> str:
    """Add the variance of each channel times the square of ``w``, from its ``sums``: ``(n, 6) float64``.

    The difference of two whole numbers, so it is exact, and never negative.
    """
    return graph.add("Sub", add_square_sums(graph), graph.add("Mul", sums, sums))
