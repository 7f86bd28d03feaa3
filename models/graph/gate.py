"""The end of every graph: the mean over the members of an ensemble, and the motion gate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.graph.builder import OUTPUT, GraphBuilder
from models.graph.samples import add_samples


def add_output(graph: GraphBuilder, probabilities: Sequence[str], gate_lsb: float) -> None:
    """Add the output: the mean of ``probabilities``, each ``(n, 1) float32``, or 0 where the motion gate is closed.

    The gate is closed where the root mean square of the gyroscope's magnitude over the window is below ``gate_lsb``.
    """
    mean = graph.add("Mean", *probabilities) if len(probabilities) > 1 else probabilities[0]
    # The sum of squares of each sensor, (n, 2): a sum of integers, so it is exact. That of the accelerometer is never below -1.
    energy = graph.add("ReduceSumSquare", add_samples(graph), graph.axes(1, 3), keepdims=0)
    closed = graph.add("Less", energy, graph.constant([-1, gate_lsb**2 * graph.window_samples], np.float64))
    gated = graph.add("Where", closed, graph.constant(0.0, np.float32), mean)
    graph.add("ReduceMin", gated, graph.axes(1), keepdims=0, output=OUTPUT)
