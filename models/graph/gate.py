"""The end of every graph: the mean over the members of an ensemble, and the motion gate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.graph.builder import OUTPUT, GraphBuilder
from models.graph.samples import add_energies


def add_output(graph: GraphBuilder, probabilities: Sequence[str], gate_lsb: float) -> None:
    """Add the output: the mean of ``probabilities``, each ``(n, 1) float32``, or 0 where the motion gate is closed.

    The gate is closed where the root mean square of the gyroscope's magnitude over the window is below ``gate_lsb``.
    """
    mean = graph.add("Mean", *probabilities) if len(probabilities) > 1 else probabilities[0]
    # A sum of whole numbers, so it is exact. That of the accelerometer is never below -1.
    limits = [-1, (gate_lsb * graph.window_samples) ** 2]
    closed = graph.add("Less", add_energies(graph), graph.constant(limits, np.float64))
    gated = graph.add("Where", closed, graph.constant(0.0, np.float32), mean)
    graph.add("ReduceMin", gated, graph.axes(1), keepdims=0, output=OUTPUT)
