from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from models.graph.export import export_blaster_model
from models.model_file import open_model
from models.model_meta import ModelMeta
from models.output_scaling import OutputScaling
from stinger.mlmd import LrModel, MlpModel
from tests.models.test_graph import realistic, windows_like_life

SCALINGS = st.builds(OutputScaling, st.floats(0.2, 4), st.floats(-6, 3))


@given(SCALINGS, st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50))
def test_scaled_outputs_are_probabilities_in_the_same_order(scaling: OutputScaling, values: list[float]) -> None:
    probability = np.sort(np.array(values, dtype=np.float32))
    scaled = scaling.apply(probability)
    assert scaled.dtype == np.float32
    assert ((scaled >= 0) & (scaled <= 1)).all()
    assert (np.diff(scaled) >= 0).all()
    assert (scaled[probability == 0] == 0).all()


def test_a_probability_at_the_centre_becomes_one_half_and_none_stays_none() -> None:
    scaled = OutputScaling(0.5, -3).apply(np.array([expit(-3.0), np.nan], dtype=np.float32))
    assert scaled[0] == pytest.approx(0.5)
    assert np.isnan(scaled[1])


def test_the_default_changes_nothing() -> None:
    probability = np.array([0, 0.2, np.nan, 1], dtype=np.float32)
    np.testing.assert_array_equal(OutputScaling().apply(probability), probability)


@pytest.mark.parametrize("kind", [LrModel, MlpModel])
def test_a_scaled_model_gives_the_scaled_output(kind: type[LrModel | MlpModel]) -> None:
    scaling = OutputScaling(0.5, -2)
    model = realistic(kind)
    meta = ModelMeta(spec="", software="", created="")
    windows = windows_like_life(200, seed=3)
    plain, scaled = (
        open_model(export_blaster_model(one, meta)).probability(windows)
        for one in (model, scaling.apply_to_model(model))
    )
    # The sigmoid of ONNX Runtime is approximate for small outputs, which a slope below 1 enlarges.
    assert scaled == pytest.approx(scaling.apply(plain), abs=1e-4)
