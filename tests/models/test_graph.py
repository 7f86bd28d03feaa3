from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from threadpoolctl import threadpool_limits

from models.decision_parameters import DecisionParameters
from models.estimators import Estimator, FittedModel, fit_estimator, fit_members, make_estimator, training_inputs
from models.feature_sets import FEATURE_SETS, FITTED_SETS, RAW
from models.features import compute_features
from models.graph.dense import dense_of_blaster
from models.graph.export import blaster_model_of, export_blaster_model, export_model, with_decision
from models.model_file import Model, open_model
from models.model_meta import ModelMeta
from models.spec import FEATURE_MODELS, EstimatorOptions, parse_spec
from stinger.errors import InputError
from stinger.mlmd import BlasterModel, LrModel, MlpModel, encode_mlmd
from tests.models.blaster_reference import probability as blaster_probability
from tests.stinger.test_mlmd import random_model

Windows = npt.NDArray[np.int16]

BLASTER_TOLERANCE = 2e-4
"""The blaster computes variances in float32, as differences of large numbers."""

NOTHING = FittedModel(parse_spec("logreg:summary"), (None,))


def windows_like_life(count: int, *, seed: int) -> Windows:
    """Windows of wandering channels, from nearly still to violent, some saturated."""
    rng = np.random.default_rng(seed)
    vigour = rng.gamma(1.2, 600, (count, 1, 6))
    offset = rng.normal(0, 1500, (count, 1, 6))
    walk = np.cumsum(rng.normal(size=(count, 50, 6)), axis=1) / 3
    windows: Windows = np.clip(offset + vigour * walk, -32768, 32767).astype(np.int16)
    return windows


def is_still(windows: Windows) -> npt.NDArray[np.bool_]:
    """Whether the motion gate holds a window back."""
    still: npt.NDArray[np.bool_] = np.sqrt((windows[:, :, 3:].astype(np.float64) ** 2).sum(axis=2).mean(axis=1)) < 60
    return still


def meta(estimator: str, features: str) -> ModelMeta:
    return ModelMeta(spec=f"{estimator}:{features}", software="test", created="2026-01-01T00:00:00+00:00")


def exported(estimator: Estimator, spec: str) -> bytes:
    return export_model(FittedModel(parse_spec(spec), (estimator,)), meta(*spec.split(":")))


def imported(model: BlasterModel) -> Model:
    return open_model(export_blaster_model(model, meta("", "")))


SPECS = [f"{model}:{features}" for model in FEATURE_MODELS for features in FEATURE_SETS if features != RAW]
LONG_TO_FIT = [f"{model}:{features}" for model in ("rf", "et", "hgb", "xgb") for features in FITTED_SETS]


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec not in LONG_TO_FIT])
def test_exported_model_agrees_with_scikit_learn(spec: str) -> None:
    assert_exported_agrees(spec, windows=1000)


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS)
def test_exported_model_agrees_with_scikit_learn_on_many_windows(spec: str) -> None:
    assert_exported_agrees(spec, windows=2000 if spec in LONG_TO_FIT else 20_000)


@pytest.mark.parametrize(
    "spec",
    [
        "logreg:summary+et:rich",
        "mlp:rich+mlp:rich",
        "logreg:kernels+mlp:motion",
        pytest.param("et:kernels+rf:flatten+mlp:motion", marks=pytest.mark.slow),
    ],
)
def test_exported_ensemble_gives_the_mean_of_its_members(spec: str) -> None:
    assert_exported_agrees(spec, windows=2000)


def assert_exported_agrees(spec: str, *, windows: int) -> None:
    """Fail unless the model file gives the probability of the fitted estimators, or 0 behind the motion gate."""
    train, test = windows_like_life(400, seed=1), windows_like_life(windows, seed=2)
    labels = (np.abs(train[:, -10:, 3]).mean(axis=1) > 1200).astype(np.uint8)
    parsed = parse_spec(spec)
    options = EstimatorOptions(trees=100)
    with threadpool_limits(1):
        fitted, _ = fit_members(parsed, training_inputs(train, parsed), labels, seed=1, options=options)
    expected = fitted.probability(training_inputs(test, parsed))
    expected[is_still(test)] = 0
    model = open_model(export_model(fitted, meta("", "")))
    assert model.meta.spec == spec
    assert expected.std() > 0.01
    np.testing.assert_allclose(model.probability(test), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [LrModel, MlpModel])
def test_imported_model_of_the_blaster_scores_as_the_blaster_does(kind: type[LrModel | MlpModel]) -> None:
    model = realistic(kind)
    windows = windows_like_life(300, seed=3)
    windows[:20] //= 500
    expected = [blaster_probability(model, window) for window in windows]
    assert np.std(expected) > 0.05
    assert expected.count(0.0) >= 10
    np.testing.assert_allclose(imported(model).probability(windows), expected, rtol=0, atol=BLASTER_TOLERANCE)


@pytest.mark.parametrize("kind", [LrModel, MlpModel])
def test_model_of_the_blaster_comes_back_with_the_same_bytes(kind: type[LrModel | MlpModel]) -> None:
    model = realistic(kind)
    assert encode_mlmd(blaster_model_of(imported(model))) == encode_mlmd(model)


@pytest.mark.parametrize(("estimator", "features"), [("logreg", "summary"), ("mlp", "rich")])
def test_trained_model_goes_to_the_blaster_and_scores_the_same_there(estimator: str, features: str) -> None:
    windows = windows_like_life(300, seed=4)
    labels = (np.abs(windows[:, -10:, 3]).mean(axis=1) > 1200).astype(np.uint8)
    fitted = make_estimator(estimator, features, seed=1, labels=labels)
    fit_estimator(fitted, compute_features(windows, features), labels)
    model = open_model(exported(fitted, f"{estimator}:{features}"))
    on_blaster = blaster_model_of(model)
    expected = [blaster_probability(on_blaster, window) for window in windows[:100]]
    np.testing.assert_allclose(model.probability(windows[:100]), expected, rtol=0, atol=BLASTER_TOLERANCE)


def test_scale_below_the_blasters_floor_counts_as_the_floor() -> None:
    model = realistic(LrModel)
    assert isinstance(model, LrModel)
    scale = model.scale.copy()
    scale[0] = 0.0
    network = dense_of_blaster(replace(model, scale=scale))
    assert network.scale[0] == np.float32(1e-10)


def test_motion_gate_opens_at_its_level() -> None:
    windows = np.zeros((2, 50, 6), dtype=np.int16)
    windows[0, :, 3] = 59
    windows[1, :, 3] = 60
    closed, opened = imported(realistic(LrModel)).probability(windows)
    assert closed == 0
    assert opened > 0


def test_model_that_the_blaster_has_not_is_not_written_for_it() -> None:
    windows = windows_like_life(60, seed=5)
    labels = (windows[:, 0, 0] > 0).astype(np.uint8)
    ridge = make_estimator("ridge", "summary", seed=1)
    fit_estimator(ridge, compute_features(windows, "summary"), labels)
    with pytest.raises(InputError, match="cannot run ridge:summary"):
        blaster_model_of(open_model(exported(ridge, "ridge:summary")))
    small = make_estimator("mlp", "rich", seed=1, options=EstimatorOptions(mlp_hidden=(8,)))
    fit_estimator(small, compute_features(windows, "rich"), labels)
    with pytest.raises(InputError, match="can run logreg on summary, or mlp with 64, 32 on rich"):
        blaster_model_of(open_model(exported(small, "mlp:rich")))


def test_model_trained_on_other_windows_or_rates_is_not_exported() -> None:
    with pytest.raises(InputError, match="windows of 30 samples"):
        export_model(NOTHING, replace(meta("logreg", "summary"), window_samples=30))
    with pytest.raises(InputError, match="at 200 Hz"):
        export_model(NOTHING, replace(meta("logreg", "summary"), rate_hz=200))


def test_other_decision_changes_nothing_else() -> None:
    model = imported(realistic(MlpModel))
    changed = open_model(with_decision(model, DecisionParameters(on=0.7, off=0.2)))
    windows = windows_like_life(50, seed=6)
    assert changed.meta == replace(model.meta, decision=DecisionParameters(on=0.7, off=0.2))
    np.testing.assert_array_equal(changed.probability(windows), model.probability(windows))


def realistic(kind: type[LrModel | MlpModel]) -> BlasterModel:
    """A model with random weights whose scaler fits the windows of these tests, so that its output varies."""
    table = compute_features(windows_like_life(500, seed=8), "summary" if kind is LrModel else "rich")
    model = random_model(kind, seed=9)
    return replace(model, mean=table.mean(axis=0), scale=table.std(axis=0))
