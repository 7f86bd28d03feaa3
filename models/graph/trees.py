"""Graph nodes for forests and boosted trees, converted by skl2onnx (xgboost: onnxmltools)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
from onnx import compose
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType

from models.graph.builder import OPSETS, GraphBuilder
from stinger.errors import InputError
from stinger.packages import install_command

_INPUT = "features"
_XGBOOST_OPSET = 15
"""The newest that onnxmltools supports; the few operators that it uses are the same in ours."""


def add_trees(graph: GraphBuilder, features: str, estimator: Any, feature_count: int, *, prefix: str) -> str:
    """Add the nodes of a fitted tree model after the tensor ``features`` ``(n, feature_count) float32``.

    The names of the nodes begin with ``prefix``, which differs from that of other trees in the graph. Returns the name
    of the probability of a shot, ``(n, 1) float32``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = _convert(estimator, feature_count)
    prefixed = compose.add_prefix(converted, prefix)
    probabilities = prefixed.graph.output[-1].name
    graph.add("Identity", features, output=f"{prefix}{_INPUT}")
    graph.adopt(prefixed.graph)
    shot = graph.add("Slice", probabilities, graph.axes(1), graph.axes(2), graph.axes(1))
    # Sums of many float32 leaves can be slightly outside 0 to 1.
    low, high = graph.constant(0.0, np.float32), graph.constant(1.0, np.float32)
    return graph.add("Clip", shot, low, high)


def _convert(estimator: Any, feature_count: int) -> onnx.ModelProto:
    if type(estimator).__module__.startswith("xgboost"):
        return _convert_xgboost(estimator, feature_count)
    inputs = [(_INPUT, FloatTensorType([None, feature_count]))]
    model: onnx.ModelProto = convert_sklearn(
        estimator, initial_types=inputs, options={id(estimator): {"zipmap": False}}, target_opset=OPSETS
    )
    return model


def _convert_xgboost(estimator: Any, feature_count: int) -> onnx.ModelProto:
    try:
        # An optional extra.
        from onnxmltools import convert_xgboost  # noqa: PLC0415
        from onnxmltools.convert.common.data_types import FloatTensorType as XgbTensorType  # noqa: PLC0415
    except ImportError as error:
        raise InputError(f"saving an xgb model needs the package onnxmltools: run {install_command('xgb')}") from error
    inputs = [(_INPUT, XgbTensorType([None, feature_count]))]
    model: onnx.ModelProto = convert_xgboost(estimator, initial_types=inputs, target_opset=_XGBOOST_OPSET)
    return model
