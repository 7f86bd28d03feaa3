"""Graph nodes for the small convolutional network ``cnn``, which gets the window itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from models.graph.builder import GraphBuilder
from models.graph.samples import add_magnitudes, add_samples

CNN_CHANNELS: Final = 8
"""Channels of the network: three axes and the magnitude of the accelerometer, then of the gyroscope."""
POOLED_SAMPLES: Final = 2
"""After each convolution but the last, the larger of two outputs that follow each other is kept."""

_Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class CnnParameters:
    """The weights of a fitted network.

    ``scale`` ``(2,)`` are the standard deviations of accelerometer and gyroscope in LSB, by which their channels are
    divided. ``convolutions`` are pairs of weights ``(outputs, inputs, taps)``, with an odd number of taps, and biases
    ``(outputs,)``; the window is padded with zeros. A convolution with fewer ``inputs`` than it gets channels is a
    grouped one. ``dense`` has a weight for each output of the last convolution at each of its times, ``(k, 1)``, and a
    bias ``(1,)``.
    """

    scale: _Floats
    convolutions: tuple[tuple[_Floats, _Floats], ...]
    dense: tuple[_Floats, _Floats]


def join_networks(networks: Sequence[CnnParameters]) -> CnnParameters:
    """Return a network whose output before the sigmoid is the mean of those of ``networks``.

    All have the same scale and shapes.
    """
    convolutions = tuple(
        (np.concatenate([weights for weights, _ in layers]), np.concatenate([biases for _, biases in layers]))
        for layers in zip(*(network.convolutions for network in networks), strict=True)
    )
    weights = np.concatenate([network.dense[0] for network in networks]) / len(networks)
    return CnnParameters(
        networks[0].scale, convolutions, (weights, np.mean([network.dense[1] for network in networks], axis=0))
    )


def add_cnn(graph: GraphBuilder, parameters: CnnParameters) -> str:
    """Add the nodes of a network; return the name of its sigmoid, ``(n, 1) float32``.

    The scale is part of the weights of the first convolution.
    """
    magnitudes = graph.add("Reshape", add_magnitudes(graph), graph.axes(0, graph.window_samples, 2, 1))
    by_sensor = graph.add("Concat", add_samples(graph), magnitudes, axis=3)
    joined = graph.add("Reshape", by_sensor, graph.axes(0, graph.window_samples, CNN_CHANNELS))
    values = graph.add("Transpose", graph.add("Cast", joined, to=TensorProto.FLOAT), perm=[0, 2, 1])
    factors = np.repeat(1 / np.asarray(parameters.scale, dtype=np.float64), CNN_CHANNELS // 2)
    channels = CNN_CHANNELS
    for i, (weights, biases) in enumerate(parameters.convolutions):
        if i:
            values = graph.add("MaxPool", values, kernel_shape=[POOLED_SAMPLES], strides=[POOLED_SAMPLES])
        scaled = weights if i else weights * factors[:, None]
        reach = weights.shape[2] // 2
        groups = channels // weights.shape[1]
        channels = weights.shape[0]
        constants = graph.constant(scaled, np.float32), graph.constant(biases, np.float32)
        values = graph.add("Relu", graph.add("Conv", values, *constants, group=groups, pads=[reach, reach]))
    weights, biases = parameters.dense
    flat = graph.add("Reshape", values, graph.axes(0, weights.shape[0]))
    output = graph.add("Gemm", flat, graph.constant(weights, np.float32), graph.constant(biases, np.float32))
    return graph.add("Sigmoid", output)
