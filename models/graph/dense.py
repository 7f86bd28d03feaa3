"""Graph nodes for a scaler and dense layers: logistic and ridge regression, the MLP, and both models of the blaster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.graph.builder import OUTPUT, GraphBuilder
from stinger.errors import InputError
from stinger.mlmd import SCALE_FLOOR, BlasterModel, LrModel, MlpModel

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class DenseNetwork:
    """A sigmoid after dense layers on standardised features, with ReLU between layers.

    ``mean`` and ``scale`` are ``(k,)``; ``layers`` are pairs of weights ``(inputs, outputs)`` and biases ``(outputs,)``,
    the last with one output.
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


def add_dense(graph: GraphBuilder, features: str, network: DenseNetwork) -> str:
    """Add the nodes of ``network`` after the tensor ``features``; return the name of the ``(n,) float32`` sigmoid."""
    centred = graph.add("Sub", features, graph.constant(network.mean, np.float32))
    values = graph.add("Div", centred, graph.constant(network.scale, np.float32))
    for i, (weights, biases) in enumerate(network.layers):
        if i:
            values = graph.add("Relu", values)
        values = graph.add("Gemm", values, graph.constant(weights, np.float32), graph.constant(biases, np.float32))
    return graph.add("Sigmoid", graph.add("Squeeze", values, graph.axes(1)))


def add_gate(graph: GraphBuilder, probability: str, gyro_energy: str, gate_energy: float) -> None:
    """Add the motion gate: the graph's output is 0 where ``gyro_energy`` is below ``gate_energy``."""
    still = graph.add("Less", gyro_energy, graph.constant(gate_energy, np.float64))
    graph.add("Where", still, graph.constant(0.0, np.float32), probability, output=OUTPUT)
