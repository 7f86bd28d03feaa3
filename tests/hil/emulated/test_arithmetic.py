from __future__ import annotations

import numpy as np
import pytest

from hil.emulated.arithmetic import DeviceArithmetic
from hil.emulated.factory import factory_models
from hil.emulated.inference import Inference
from hil.emulated.journal import Journal
from hil.measuring.definitions import SCORE_TOLERANCE
from models.decision import Decision
from models.factory import factory_model
from models.graph.export import blaster_model_of, export_blaster_model
from models.model_file import open_model
from models.model_meta import ModelMeta
from models.scorer import Scorer
from models.synthetic import synthesise
from stinger.mlmd import BlasterModel, encode_mlmd
from tests.models import blaster_reference

MODELS = pytest.mark.parametrize("model", factory_models(), ids=["lr", "mlp"])


def windows() -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    rng = np.random.default_rng(3)
    noise = [rng.normal(0, size, (50, 6)) for size in np.geomspace(5, 15_000, 24)]
    offset = rng.normal([0, 0, 2048, 0, 0, 0], 200, (50, 6))
    extreme = [np.full((50, 6), value) for value in (0, -32768, 32767)]
    return np.array([*noise, offset, *extreme]).clip(-32768, 32767).astype(np.int16)


@MODELS
def test_probability_equals_that_of_the_reference(model: BlasterModel) -> None:
    expected = [blaster_reference.probability(model, window) for window in windows()]
    found = DeviceArithmetic(model).probability(windows())
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= SCORE_TOLERANCE


def test_factory_mlp_of_the_device_is_the_factory_model_of_the_host() -> None:
    assert encode_mlmd(factory_models()[1]) == encode_mlmd(blaster_model_of(factory_model()))


@MODELS
def test_device_and_host_agree_sample_by_sample(model: BlasterModel) -> None:
    samples = synthesise(minutes=2, seed=5)
    host = open_model(export_blaster_model(model, ModelMeta("", "test", "2026-01-01T00:00:00Z")))
    expected = Scorer(host).push("", samples).probability
    decided = Decision().push(samples["timestamp_ms"].astype(np.int64), expected)
    journal = Journal()
    inference = Inference(journal, model)
    for i in range(samples.shape[0]):
        journal.add(samples[i : i + 1], int(samples["timestamp_ms"][i]), 0)
        if i % 171 < 3:
            inference.sample_taken() if i % 2 else inference.catch_up()
    inference.catch_up()
    found = journal.since(0)
    np.testing.assert_allclose(found["probability"], expected, rtol=0, atol=SCORE_TOLERANCE)
    assert np.nanmax(expected) > 0.5
    assert np.count_nonzero(found["wheels"] != decided.wheels) == 0
