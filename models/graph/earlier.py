"""Graphs of earlier versions: where the features of a model are in them."""

from __future__ import annotations

import numpy as np
import onnx

from models.graph.builder import GraphBuilder
from models.graph.features import add_features
from models.graph.samples import FeatureNodes


def features_in(graph: onnx.GraphProto, name: str) -> FeatureNodes:
    """Return the columns of a feature set in a model's graph, whichever version of this program made it.

    ``name`` is ``summary`` or ``rich``. Earlier versions averaged over the window, instead of adding up, and ``rich``
    had columns of the magnitudes that were not features.
    """
    features = add_features(GraphBuilder(), name)
    if not any(node.op_type == "ReduceMean" for node in graph.node):
        return features
    factors = np.ones((4, 2, 4))
    factors[1] = GraphBuilder().window_samples ** -0.5
    if name == "summary":
        return FeatureNodes(features.values, 18, np.arange(18), factors.reshape(4, 8)[:3, :6].ravel())
    column = np.arange(32).reshape(4, 2, 4)
    columns = np.concatenate((column[:, :, :3].ravel(), column[:3, 0, 3], column[:3, 1, 3]))
    return FeatureNodes(features.values, 32, columns, factors.ravel()[columns])
