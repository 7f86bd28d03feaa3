"""Graph nodes for a scaler and dense layers: logistic and ridge regression, the MLP, and both models of the blaster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

from models.graph.builder import GraphBuilder
from models.graph.samples import FeatureNodes
from stinger.errors import InputError
from stinger.mlmd import SCALE_FLOOR, BlasterModel, LrModel, MlpModel

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class DenseNetwork:
    """A sigmoid after dense layers on standardised features, with ReLU between layers.

    ``mean`` and ``scale`` are ``(k,)``; ``layers`` are pairs of weights ``(inputs, outputs)`` and biases
    ``(outputs,)``, the last with one output.
    """

    mean: FloatArray
    scale: FloatArray
    layers: tuple[tuple[FloatArray, FloatArray], ...]


def dense_of_pipeline(scaler: Any, estimator: Any) -> DenseNetwork:
    """Return the network of a fitted StandardScaler followed by a logistic regression, ridge regression or MLP."""
    if hasattr(estimator, "coefs_"):
        layers = tuple(zip(estimator.coefs_, estimator.intercepts_, strict=True))
    else:
        layers = ((np.reshape(estimator.coef_, (-1, 1)), np.reshape(estimator.intercept_, (1,))),)
    return DenseNetwork(mean=scaler.mean_, scale=scaler.scale_, layers=layers)


def dense_of_blaster(model: BlasterModel) -> DenseNetwork:
    """Return the network of a model file of the blaster, with the blaster's lower limit on the scale."""
    scale = np.maximum(model.scale, np.float32(SCALE_FLOOR))
    if isinstance(model, LrModel):
        return DenseNetwork(model.mean, scale, ((model.coef[:, None], model.intercept[None]),))
    layers = ((model.w1.T, model.b1), (model.w2.T, model.b2), (model.w3[:, None], model.b3[None]))
    return DenseNetwork(model.mean, scale, layers)


def blaster_of_dense(network: DenseNetwork, features: str) -> BlasterModel:
    """Return the blaster's model that is equal to ``network`` on the feature set ``features``.

    Raises :class:`InputError` if the blaster cannot run a model of this shape.
    """
    shapes = [weights.shape for weights, _ in network.layers]
    common = {"mean": network.mean.astype(np.float32), "scale": network.scale.astype(np.float32)}
    if features == "summary" and shapes == [(18, 1)]:
        ((coef, intercept),) = network.layers
        return LrModel(**common, coef=coef[:, 0].astype(np.float32), intercept=intercept[0].astype(np.float32))
    if features == "rich" and shapes == [(30, 64), (64, 32), (32, 1)]:
        (w1, b1), (w2, b2), (w3, b3) = [(w.astype(np.float32), b.astype(np.float32)) for w, b in network.layers]
        return MlpModel(**common, w1=w1.T, b1=b1, w2=w2.T, b2=b2, w3=w3[:, 0], b3=b3[0])
    raise InputError(
        f"the blaster has no model with layers {shapes} on '{features}' features: "
        "it can run logreg on summary, or mlp with 64, 32 on rich"
    )


def add_dense(graph: GraphBuilder, features: FeatureNodes, network: DenseNetwork) -> str:
    """Add the nodes of ``network`` on ``features``; return the name of the sigmoid, ``(n, 1) float32``.

    The scaler is one node, a batch normalisation. It includes the factors of ``features``, and columns that are
    not features get the weight 0.
    """
    mean, variance = np.zeros(features.width), np.ones(features.width)
    mean[features.columns] = network.mean.astype(np.float32) / features.factors
    variance[features.columns] = (network.scale.astype(np.float32) / features.factors) ** 2
    scaler = [
        graph.constant(values, features.dtype)
        for values in (np.ones(features.width), np.zeros(features.width), mean, variance)
    ]
    normalised = graph.add("BatchNormalization", features.values, *scaler, epsilon=0.0)
    values = normalised if features.dtype is np.float32 else graph.add("Cast", normalised, to=TensorProto.FLOAT)
    for i, (weights, biases) in enumerate(network.layers):
        if i:
            values = graph.add("Relu", values)
            rows = weights
        else:
            rows = np.zeros((features.width, weights.shape[1]))
            rows[features.columns] = weights
        values = graph.add("Gemm", values, graph.constant(rows, np.float32), graph.constant(biases, np.float32))
    return graph.add("Sigmoid", values)


def read_dense(graph: onnx.GraphProto, features: FeatureNodes) -> DenseNetwork:
    """Return the network in a graph from :func:`add_dense` on ``features``, with bit-identical weights in float32.

    Also reads the graphs of earlier versions, which subtracted the mean and divided by the scale. Raises ``KeyError``,
    ``IndexError`` or ``ValueError`` for any other graph.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    maker = {node.output[0]: node for node in graph.node}
    layers = [node for node in graph.node if node.op_type == "Gemm"]
    weights = [(constants[node.input[1]], constants[node.input[2]]) for node in layers]
    scaler = maker[layers[0].input[0]]
    if scaler.op_type == "Div":
        centred = maker[scaler.input[0]]
        return DenseNetwork(constants[centred.input[1]], constants[scaler.input[1]], tuple(weights))
    _, _, _, mean, variance = maker[scaler.input[0]].input
    (first, biases), *others = weights
    return DenseNetwork(
        mean=(constants[mean][features.columns] * features.factors).astype(np.float32),
        scale=(np.sqrt(constants[variance][features.columns]) * features.factors).astype(np.float32),
        layers=((first[features.columns], biases), *others),
    )
