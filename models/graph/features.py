"""The features of :func:`models.features.compute_features` as graph nodes, equal up to the last bit of float32.

Sums of raw channels and of their squares are integers below 2**53, which float64 represents exactly, in whatever
order a runtime adds them. Only magnitudes are rounded before the last step, in float64. So a feature is on the same side
of a tree's threshold in training and in the graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from models.graph.builder import INPUT, GraphBuilder
from stinger.errors import InputError
from stinger.mlmd import WINDOW_SAMPLES
from stinger.sample import CHANNELS


@dataclass(frozen=True, slots=True)
class FeatureNodes:
    """Names of tensors: ``features`` ``(n, k) float32`` and ``gyro_energy`` ``(n,) float64``.

    The latter is the sum over the window of the squared gyroscope magnitude, in LSB squared.
    """

    features: str
    gyro_energy: str


def add_features(graph: GraphBuilder, name: str) -> FeatureNodes:
    """Add the nodes of feature set ``name``. Raises :class:`InputError` for an unknown one."""
    if name not in {"summary", "rich", "flatten"}:
        raise InputError(f"the feature set '{name}' has no graph")
    values = graph.add("Cast", INPUT, to=TensorProto.DOUBLE)
    squares = graph.add("Mul", values, values)
    square_sums = graph.add("ReduceSum", squares, graph.axes(1), keepdims=0)
    gyro = graph.add("Slice", square_sums, graph.axes(3), graph.axes(6), graph.axes(1))
    energy = graph.add("ReduceSum", gyro, graph.axes(1), keepdims=0)
    if name == "flatten":
        flat = graph.add("Reshape", INPUT, graph.constant([0, WINDOW_SAMPLES * len(CHANNELS)], np.int64))
        return FeatureNodes(graph.add("Cast", flat, to=TensorProto.FLOAT), energy)
    parts = _summary(graph, values, square_sums)
    if name == "rich":
        parts += _rich(graph, values, squares)
    joined = graph.add("Concat", *parts, axis=1)
    return FeatureNodes(graph.add("Cast", joined, to=TensorProto.FLOAT), energy)


def _summary(graph: GraphBuilder, values: str, square_sums: str) -> list[str]:
    """Add mean, standard deviation and largest absolute value of each channel; return the names of three ``(n, 6)``."""
    width = graph.constant(WINDOW_SAMPLES, np.float64)
    sums = graph.add("ReduceSum", values, graph.axes(1), keepdims=0)
    scaled = graph.add("Mul", square_sums, width)
    spread = graph.add("Sub", scaled, graph.add("Mul", sums, sums))
    largest = graph.add("ReduceMax", graph.add("Abs", values), graph.axes(1), keepdims=0)
    return [graph.add("Div", sums, width), graph.add("Div", graph.add("Sqrt", spread), width), largest]


def _rich(graph: GraphBuilder, values: str, squares: str) -> list[str]:
    """Add mean absolute value of each channel, and mean, deviation and maximum of both magnitudes.

    Returns the names of two ``(n, 6)``.
    """
    width = graph.constant(WINDOW_SAMPLES, np.float64)
    absolute = graph.add("ReduceSum", graph.add("Abs", values), graph.axes(1), keepdims=0)
    # (n, 50, 2, 3): accelerometer and gyroscope, three axes each.
    by_sensor = graph.add("Reshape", squares, graph.constant([0, WINDOW_SAMPLES, 2, 3], np.int64))
    magnitude = graph.add("Sqrt", graph.add("ReduceSum", by_sensor, graph.axes(3), keepdims=0))
    mean = graph.add("ReduceMean", magnitude, graph.axes(1), keepdims=1)
    off = graph.add("Sub", magnitude, mean)
    deviation = graph.add("Sqrt", graph.add("ReduceMean", graph.add("Mul", off, off), graph.axes(1), keepdims=1))
    largest = graph.add("ReduceMax", magnitude, graph.axes(1), keepdims=1)
    # (n, 3, 2) to (n, 2, 3) to (n, 6): the three of the accelerometer, then the three of the gyroscope.
    stacked = graph.add("Transpose", graph.add("Concat", mean, deviation, largest, axis=1), perm=[0, 2, 1])
    return [
        graph.add("Div", absolute, width),
        graph.add("Reshape", stacked, graph.constant([0, 6], np.int64)),
    ]
