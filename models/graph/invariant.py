"""The makers' feature sets ``invariant`` and ``invariant_rich`` as graph nodes.

They do not depend on how the blaster is held. Features of ratios have a fixed value where the divisor is next to
nothing, as the makers' have.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from onnx import TensorProto

from models.graph.builder import GraphBuilder
from models.graph.samples import FeatureNodes, add_channels_and_changes, add_sizes

_ACCEL, _GYRO, _JERK = 0, 1, 2
"""Signals of :func:`add_sizes`."""
_NEXT_TO_NOTHING: Final = 1e-6
"""In LSB. Smaller deviations are rounding errors."""
_NO_RATIO: Final = 1.0
_EVEN_SHARE: Final = 0.25


def add_invariant(graph: GraphBuilder, *, rich: bool) -> FeatureNodes:
    """Add the nodes of ``invariant``, or of ``invariant_rich``; both are listed in :mod:`models.feature_sets`."""
    width = graph.window_samples
    sizes = add_sizes(graph)
    accel, gyro = _column(graph, sizes, _ACCEL), _column(graph, sizes, _GYRO)
    jerk = _rows(graph, _column(graph, sizes, _JERK), 1, width)
    energy = graph.add("Mul", jerk, jerk)
    off = graph.add("Sub", accel, _mean(graph, accel))
    parts = [
        _mean(graph, jerk),
        _deviation(graph, jerk),
        _maximum(graph, jerk),
        graph.add("Sqrt", _mean(graph, energy)),
        _deviation(graph, accel),
        _maximum(graph, graph.add("Abs", off)),
        _range(graph, accel),
        _mean(graph, gyro),
        _deviation(graph, gyro),
        _maximum(graph, gyro),
        _range(graph, gyro),
        *_halves(graph, gyro, jerk),
        _last_share(graph, energy),
        _crossings(graph, jerk),
    ]
    if rich:
        both = add_channels_and_changes(graph)
        parts.append(_deviation(graph, _channels(graph, both, 3, 6)))
        parts.append(_deviation(graph, _rows(graph, _channels(graph, both, 6, 9), 1, width)))
    count = 22 if rich else 16
    joined = graph.add("Reshape", graph.add("Concat", *parts, axis=2), graph.axes(0, count))
    return FeatureNodes(joined, count, np.arange(count), np.ones(count))


def _halves(graph: GraphBuilder, gyro: str, jerk: str) -> list[str]:
    """Compare the second half of a window with the first: gyroscope's mean, jerk's mean, gyroscope's deviation."""
    width = graph.window_samples
    first, second = _rows(graph, gyro, 0, width // 2), _rows(graph, gyro, width // 2, width)
    # Jerk is one sample shorter, and so is its first half.
    changes, half = width - 1, width // 2 - 1
    jerk_first, jerk_second = _rows(graph, jerk, 0, half), _rows(graph, jerk, half, changes)
    return [
        graph.add("Sub", _mean(graph, second), _mean(graph, first)),
        _ratio(graph, _mean(graph, jerk_second), _mean(graph, jerk_first), otherwise=_NO_RATIO),
        _ratio(graph, _deviation(graph, second), _deviation(graph, first), otherwise=_NO_RATIO),
    ]


def _last_share(graph: GraphBuilder, energy: str) -> str:
    """Add the last quarter's share of the jerk's energy."""
    changes = graph.window_samples - 1
    last = _rows(graph, energy, changes - graph.window_samples // 4, changes)
    return _ratio(graph, _sum(graph, last), _sum(graph, energy), otherwise=_EVEN_SHARE)


def _crossings(graph: GraphBuilder, jerk: str) -> str:
    """Add how often jerk crosses its mean, as a share of the steps at which it could."""
    changes = graph.window_samples - 1
    level = graph.add("Sub", _mean(graph, jerk), graph.constant(_NEXT_TO_NOTHING, np.float64))
    above = graph.add("Cast", graph.add("GreaterOrEqual", jerk, level), to=TensorProto.DOUBLE)
    step = graph.add("Sub", _rows(graph, above, 1, changes), _rows(graph, above, 0, changes - 1))
    return _mean(graph, graph.add("Abs", step))


def _ratio(graph: GraphBuilder, value: str, by: str, *, otherwise: float) -> str:
    """Add ``value / by``, or ``otherwise`` where ``by`` is next to nothing."""
    enough = graph.add("Greater", by, graph.constant(_NEXT_TO_NOTHING, np.float64))
    divisor = graph.add("Max", by, graph.constant(_NEXT_TO_NOTHING, np.float64))
    return graph.add("Where", enough, graph.add("Div", value, divisor), graph.constant(otherwise, np.float64))


def _deviation(graph: GraphBuilder, values: str) -> str:
    off = graph.add("Sub", values, _mean(graph, values))
    return graph.add("Sqrt", _mean(graph, graph.add("Mul", off, off)))


def _range(graph: GraphBuilder, values: str) -> str:
    return graph.add("Sub", _maximum(graph, values), graph.add("ReduceMin", values, graph.axes(1), keepdims=1))


def _maximum(graph: GraphBuilder, values: str) -> str:
    return graph.add("ReduceMax", values, graph.axes(1), keepdims=1)


def _mean(graph: GraphBuilder, values: str) -> str:
    return graph.add("ReduceMean", values, graph.axes(1), keepdims=1)


def _sum(graph: GraphBuilder, values: str) -> str:
    return graph.add("ReduceSum", values, graph.axes(1), keepdims=1)


def _column(graph: GraphBuilder, values: str, column: int) -> str:
    return _channels(graph, values, column, column + 1)


def _channels(graph: GraphBuilder, values: str, start: int, stop: int) -> str:
    return graph.add("Slice", values, graph.axes(start), graph.axes(stop), graph.axes(2))


def _rows(graph: GraphBuilder, values: str, start: int, stop: int) -> str:
    return graph.add("Slice", values, graph.axes(start), graph.axes(stop), graph.axes(1))
