"""Convert a fitted estimator or a model of the blaster to a model file, and a model file to a model of the blaster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx

from models.decision_parameters import DecisionParameters
from models.feature_sets import FITTED_SETS
from models.graph.builder import GraphBuilder
from models.graph.cnn import add_cnn
from models.graph.dense import (
    DenseNetwork,
    add_dense,
    blaster_of_dense,
    dense_of_blaster,
    dense_of_pipeline,
    read_dense,
)
from models.graph.earlier import features_in
from models.graph.features import add_features
from models.graph.gate import add_output
from models.graph.samples import add_table
from models.model_file import Model, open_model, probe_windows
from models.model_meta import META_KEY, ModelMeta, check_windows
from models.spec import CNN, SCALED, Member
from stinger.errors import InputError
from stinger.mlmd import BlasterModel, LrModel, encode_mlmd

if TYPE_CHECKING:  # scikit-learn, which takes half a second to import, and is not needed to convert models
    from models.estimators import FittedModel

_AGREEMENT: Final = 1e-5
_FOREIGN: Final = "the graph does not consist of a scaler and layers as this program writes them"
_FOR_BLASTER: Final = {"logreg:summary", "mlp:rich"}


def export_model(fitted: FittedModel, meta: ModelMeta) -> bytes:
    """Return the model file of ``fitted``; sets ``spec`` of ``meta``.

    Raises :class:`InputError` for windows of a length or rate that a model file cannot have.
    """
    check_windows(meta.window_samples, meta.rate_hz)
    graph = GraphBuilder()
    members = zip(fitted.spec.members, fitted.estimators, strict=True)
    probabilities = [_add_member(graph, number, *member) for number, member in enumerate(members)]
    add_output(graph, probabilities, meta.gate_lsb)
    return graph.finish({META_KEY: replace(meta, spec=str(fitted.spec)).to_json()})


def export_blaster_model(model: BlasterModel, meta: ModelMeta) -> bytes:
    """Return the model file that scores as the blaster does with ``model``; sets ``spec`` of ``meta``."""
    member = Member("logreg", "summary") if isinstance(model, LrModel) else Member("mlp", "rich")
    graph = GraphBuilder()
    probability = add_dense(graph, add_features(graph, member.features), dense_of_blaster(model))
    add_output(graph, [probability], meta.gate_lsb)
    return graph.finish({META_KEY: replace(meta, spec=str(member)).to_json()})


def blaster_model_of(model: Model) -> BlasterModel:
    """Return ``model`` as the blaster stores it, with bit-identical weights.

    Raises :class:`InputError` unless it is logreg on summary or mlp (64, 32) on rich features, and scores as such.
    """
    meta = model.meta
    if meta.spec not in _FOR_BLASTER:
        raise InputError(f"the blaster cannot run {meta.spec}, only logreg:summary or mlp:rich (64, 32)")
    features = meta.spec.partition(":")[2]
    blaster_model = blaster_of_dense(_dense_of_graph(onnx.load_model_from_string(model.data).graph, features), features)
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


def _add_member(graph: GraphBuilder, number: int, member: Member, estimator: Any) -> str:
    """Add the nodes of one member; return the name of its probability ``(n, 1) float32``."""
    if member.model == CNN:
        return add_cnn(graph, estimator.parameters_)
    fitted = estimator[0].parameters_ if member.features in FITTED_SETS else None
    features = add_features(graph, member.features, fitted)
    if member.model in SCALED:
        return add_dense(graph, features, dense_of_pipeline(estimator[-2], estimator[-1]))
    from models.graph.trees import add_trees  # noqa: PLC0415 - skl2onnx, only for trees: a tenth of a second to load

    return add_trees(
        graph,
        add_table(graph, features),
        estimator[-1] if fitted else estimator,
        features.columns.size,
        prefix=f"trees_{number}_",
    )


def _dense_of_graph(graph: onnx.GraphProto, features: str) -> DenseNetwork:
    """Return the network in a graph of a model on the feature set ``features``."""
    try:
        return read_dense(graph, features_in(graph, features))
    except (IndexError, KeyError, ValueError) as error:
        raise InputError(_FOREIGN) from error
