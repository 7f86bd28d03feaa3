"""Model files of earlier versions: they are kept in registries for years."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from models.graph.export import blaster_model_of, export_blaster_model
from models.model_file import load_model, open_model
from stinger.mlmd import MlpModel, encode_mlmd
from tests.models.test_graph import windows_like_life

FOLDER = Path(__file__).parent / "old_models"
MLP_RICH = FOLDER / "mlp_rich.onnx"
"""Schema 1; its scaler subtracts and divides, and its graph has 42 nodes."""


def test_old_model_loads_and_is_named_as_a_new_one() -> None:
    assert load_model(MLP_RICH).meta.spec == "mlp:rich"


def test_old_model_goes_to_the_blaster_with_its_weights_bit_by_bit() -> None:
    blaster = blaster_model_of(load_model(MLP_RICH))
    assert isinstance(blaster, MlpModel)
    stored = {tuple(tensor.dims): numpy_helper.to_array(tensor) for tensor in onnx.load(MLP_RICH).graph.initializer}
    np.testing.assert_array_equal(blaster.w1, stored[30, 64].T)
    np.testing.assert_array_equal(blaster.w2, stored[64, 32].T)
    tensors = (numpy_helper.to_array(tensor) for tensor in onnx.load(MLP_RICH).graph.initializer)
    assert any(np.array_equal(blaster.scale, tensor) for tensor in tensors)


def test_old_model_exported_again_scores_the_same_with_fewer_nodes() -> None:
    old = load_model(MLP_RICH)
    again = open_model(export_blaster_model(blaster_model_of(old), old.meta))
    windows = windows_like_life(5000, seed=1)
    assert old.probability(windows).std() > 0.01
    np.testing.assert_allclose(again.probability(windows), old.probability(windows), rtol=0, atol=2e-6)
    count, before = (len(onnx.load_model_from_string(model.data).graph.node) for model in (again, old))
    assert count < before


def test_models_of_all_earlier_graphs_come_back_with_the_weights_of_the_blaster() -> None:
    """The graph between that of ``MLP_RICH`` and today's averaged over the window, and had unused columns."""
    for name in ("mlp_rich_averaged.onnx", "logreg_summary_averaged.onnx"):
        old = load_model(FOLDER / name)
        again = open_model(export_blaster_model(blaster_model_of(old), old.meta))
        windows = windows_like_life(2000, seed=2)
        assert old.probability(windows).std() > 0.01
        np.testing.assert_allclose(again.probability(windows), old.probability(windows), rtol=0, atol=2e-6)
        assert encode_mlmd(blaster_model_of(again)) == encode_mlmd(blaster_model_of(old))
