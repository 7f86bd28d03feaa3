"""The feature set ``kernels`` as graph nodes, as MiniRocket has it.

Convolutions with random channels are pooled over time. Dempster, Schmidt and Webb, "MiniRocket: a very fast (almost)
deterministic transform for time series classification", KDD 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from models.feature_sets import KERNEL_DILATIONS, KERNEL_LENGTH, KERNEL_THRESHOLDS, KERNELS
from models.graph.builder import GraphBuilder
from models.graph.samples import FeatureNodes, add_channels_and_changes, add_sizes

KERNEL_CHANNELS: Final = 16
"""Channels that kernels choose from: the six axes, their changes, and the sizes of both sensors and of their
changes."""

_ACCEL, _GYRO, _CHANGE = 512.0, 410.0, 75.0
COMPRESSED_FROM: Final = np.array([*[_ACCEL] * 3, *[_GYRO] * 3, *[_CHANGE] * 6, _ACCEL, _GYRO, _CHANGE, _CHANGE])
"""Where compression of each channel begins, in LSB: a quarter of 1 g, 25 degrees a second, and changes of 75 LSB."""

WEIGHTS: Final = np.array(
    [[2.0 if i in twos else -1.0 for i in range(KERNEL_LENGTH)] for twos in combinations(range(KERNEL_LENGTH), 3)]
)
"""The weights of the kernels, ``(84, 9)``: all ways to choose three of nine places. Each has the sum 0."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class KernelParameters:
    """What is fitted: the factor of each channel for each kernel of each dilation, and the thresholds of its output.

    ``factors`` are ``(dilations, 84, 16)``, 0 for a channel that a kernel does not use; ``thresholds`` are
    ``(dilations, 84, 3)``.
    """

    factors: _Floats
    thresholds: _Floats


def add_kernels(graph: GraphBuilder, parameters: KernelParameters) -> FeatureNodes:
    """Add the nodes of ``kernels``; :func:`models.feature_sets.feature_names` lists its features."""
    outputs = add_outputs(graph, parameters.factors)
    thresholds = parameters.thresholds.reshape(1, -1, KERNEL_THRESHOLDS, 1)
    above = graph.add("Greater", outputs, graph.constant(thresholds, np.float32))
    shares = graph.add("ReduceMean", graph.add("Cast", above, to=TensorProto.FLOAT), graph.axes(3), keepdims=1)
    largest = graph.add("ReduceMax", outputs, graph.axes(3), keepdims=1)
    count = len(KERNEL_DILATIONS) * KERNELS * (KERNEL_THRESHOLDS + 1)
    joined = graph.add("Reshape", graph.add("Concat", shares, largest, axis=2), graph.axes(0, count))
    return FeatureNodes(joined, count, np.arange(count), np.ones(count), np.float32)


def add_outputs(graph: GraphBuilder, factors: _Floats) -> str:
    """Add the convolutions; return the name of their outputs, ``(n, dilations * 84, 1, w) float32``."""
    channels = add_kernel_channels(graph)
    outputs = []
    for dilation, of_kernels in zip(KERNEL_DILATIONS, factors, strict=True):
        weights = graph.constant(of_kernels[:, :, None] * WEIGHTS[:, None], np.float32)
        reach = dilation * (KERNEL_LENGTH // 2)
        outputs.append(graph.add("Conv", channels, weights, dilations=[dilation], pads=[reach, reach]))
    return graph.add("Unsqueeze", graph.add("Concat", *outputs, axis=1), graph.axes(2))


def add_kernel_channels(graph: GraphBuilder) -> str:
    """Add the channels of kernels, ``(n, 16, w) float32``.

    They are compressed, and without their means, so that nothing jumps at the ends. The inverse hyperbolic sine leaves
    values below :data:`COMPRESSED_FROM` nearly as they are, and turns larger ones to logarithms: a hard knock does not
    drown what came before it.
    """
    joined = graph.add("Concat", add_channels_and_changes(graph), add_sizes(graph), axis=2)
    scaled = graph.add("Div", joined, graph.constant(COMPRESSED_FROM, np.float64))
    compressed = graph.add("Asinh", graph.add("Cast", scaled, to=TensorProto.FLOAT))
    # The mean in float64: in float32 its last digit would depend on the number of windows, and with it a share above a
    # threshold.
    exact = graph.add("Cast", compressed, to=TensorProto.DOUBLE)
    mean = graph.add("ReduceMean", exact, graph.axes(1), keepdims=1)
    numbers = graph.add("Cast", graph.add("Sub", exact, mean), to=TensorProto.FLOAT)
    return graph.add("Transpose", numbers, perm=[0, 2, 1])
