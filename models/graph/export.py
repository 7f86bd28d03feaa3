"""Convert a fitted estimator or a model of the blaster to a model file, and a model file to a model of the blaster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import onnx
from onnx import numpy_helper

from models.decision import DecisionParameters
from models.features import feature_count
from models.graph.builder import GraphBuilder
from models.graph.dense import (
    DenseNetwork,
    add_dense,
    add_gate,
    blaster_of_dense,
    dense_of_blaster,
    dense_of_pipeline,
)
from models.graph.features import add_features
from models.model_file import Model, open_model, probe_windows
from models.model_meta import META_KEY, ModelMeta, check_windows
from stinger.errors import InputError
from stinger.mlmd import WINDOW_SAMPLES, BlasterModel, LrModel, encode_mlmd

_DENSE: Final = ("logreg", "ridge", "mlp")
_AGREEMENT: Final = 1e-5
_FOREIGN: Final = "the graph does not consist of a scaler and layers as this program writes them"
_FOR_BLASTER: Final = {("logreg", "summary"), ("mlp", "rich")}


def export_estimator(estimator: Any, meta: ModelMeta) -> bytes:
    """Return the model file of a fitted ``estimator`` from :func:`models.estimators.make_estimator`.

    Raises :class:`InputError` for windows of a length or rate that a model file cannot have.
    """
    check_windows(meta.window_samples, meta.rate_hz)
    graph = GraphBuilder()
    features = add_features(graph, meta.features)
    if meta.estimator in _DENSE:
        probability = add_dense(graph, features.features, dense_of_pipeline(estimator[0], estimator[-1]))
    else:
        from models.graph.trees import add_trees  # noqa: PLC0415 - skl2onnx, only for trees: a tenth of a second to load

        count = feature_count(meta.features, WINDOW_SAMPLES)
        probability = add_trees(graph, features.features, estimator, count)
    add_gate(graph, probability, features.gyro_energy, _gate_energy(meta))
    return graph.finish({META_KEY: meta.to_json()})


def export_blaster_model(model: BlasterModel, meta: ModelMeta) -> bytes:
    """Return the model file that scores as the blaster does with ``model``; sets estimator and features of ``meta``."""
    estimator, features_name = ("logreg", "summary") if isinstance(model, LrModel) else ("mlp", "rich")
    meta = replace(meta, estimator=estimator, features=features_name)
    graph = GraphBuilder()
    features = add_features(graph, meta.features)
    probability = add_dense(graph, features.features, dense_of_blaster(model))
    add_gate(graph, probability, features.gyro_energy, _gate_energy(meta))
    return graph.finish({META_KEY: meta.to_json()})


def blaster_model_of(model: Model) -> BlasterModel:
    """Return ``model`` as the blaster stores it, with bit-identical weights.

    Raises :class:`InputError` unless it is logreg on summary or mlp (64, 32) on rich features, and scores as such.
    """
    meta = model.meta
    if (meta.estimator, meta.features) not in _FOR_BLASTER:
        raise InputError(
            f"the blaster cannot run {meta.estimator}:{meta.features}, only logreg:summary or mlp:rich (64, 32)"
        )
    blaster_model = blaster_of_dense(_dense_of_graph(onnx.load_model_from_string(model.data).graph), meta.features)
    # A graph that another program made may contain more nodes than were read from it.
    windows = probe_windows()
    difference = open_model(export_blaster_model(blaster_model, meta)).probability(windows) - model.probability(windows)
    if np.abs(difference).max() > _AGREEMENT:
        raise InputError(_FOREIGN)
    return blaster_model


def blaster_file_of(model: Model) -> bytes | None:
    """Return ``model`` as a file for the blaster; ``None`` if the blaster cannot run such a model."""
    try:
        return encode_mlmd(blaster_model_of(model))
    except InputError:
        return None


def with_decision(model: Model, decision: DecisionParameters) -> bytes:
    """Return the file of ``model`` with other decision parameters."""
    proto = onnx.load_model_from_string(model.data)
    (entry,) = (entry for entry in proto.metadata_props if entry.key == META_KEY)
    entry.value = replace(model.meta, decision=decision).to_json()
    return bytes(proto.SerializeToString())


def _gate_energy(meta: ModelMeta) -> float:
    """Return the motion gate, a root mean square, as a limit on the sum of squares over the window."""
    return meta.gate_lsb**2 * WINDOW_SAMPLES


def _dense_of_graph(graph: onnx.GraphProto) -> DenseNetwork:
    """Return the network in a graph from :func:`add_dense`. Raises :class:`InputError` for any other graph."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    maker = {node.output[0]: node for node in graph.node}
    layers = [node for node in graph.node if node.op_type == "Gemm"]
    try:
        scale = maker[layers[0].input[0]]
        mean = maker[scale.input[0]]
        network = DenseNetwork(
            mean=constants[mean.input[1]],
            scale=constants[scale.input[1]],
            layers=tuple((constants[node.input[1]], constants[node.input[2]]) for node in layers),
        )
    except (IndexError, KeyError) as error:
        raise InputError(_FOREIGN) from error
    if (mean.op_type, scale.op_type) != ("Sub", "Div"):
        raise InputError(_FOREIGN)
    return network
