"""The model ``cnn``: its graph, and its training where PyTorch is installed."""

from __future__ import annotations

import pickle
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from scipy.special import expit

from models.cnn import CnnClassifier
from models.estimators import FittedModel, fit_members, training_inputs
from models.graph.cnn import CnnParameters, join_networks
from models.graph.export import export_model
from models.model_file import Model, open_model
from models.spec import parse_spec
from models.trial import try_model
from stinger.errors import InputError
from tests.helpers.cli import invoke
from tests.models.cnn_reference import cnn_logit
from tests.models.datasets import make_dataset, write_train_dir
from tests.models.test_graph import Windows, is_still, meta, windows_like_life

needs_pytorch = pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch, which the extra deep installs")

SPEC = parse_spec("cnn:raw")


def random_parameters(*, seed: int) -> CnnParameters:
    """Return weights with which the output varies over the windows of these tests."""
    rng = np.random.default_rng(seed)
    shapes = [(5, 8, 5), (6, 5, 3), (4, 6, 3)]
    convolutions = tuple(
        (rng.normal(0, (inputs * taps) ** -0.5, (outputs, inputs, taps)), rng.normal(0, 0.1, outputs))
        for outputs, inputs, taps in shapes
    )
    return CnnParameters(np.array([500.0, 300.0]), convolutions, (rng.normal(size=(48, 1)), rng.normal(size=1)))


def classifier(parameters: CnnParameters) -> CnnClassifier:
    """Return a classifier with given weights, as after fitting."""
    fitted = CnnClassifier()
    fitted.parameters_ = parameters
    return fitted


def trained(rows: npt.NDArray[np.int16], labels: npt.NDArray[np.uint8], *, seed: int = 1, **fit: Any) -> CnnClassifier:
    """Return a classifier after a short training."""
    return CnnClassifier(random_state=seed, networks=1, least_steps=60).fit(rows, labels, **fit)


def model_of(fitted: CnnClassifier) -> Model:
    return open_model(export_model(FittedModel(SPEC, (fitted,)), meta("", "")))


def turning(count: int, *, seed: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """Return windows, flattened, and whether they end with a fast turn about the x axis."""
    windows = windows_like_life(count, seed=seed)
    labels = (np.abs(windows[:, -10:, 3]).mean(axis=1) > 1200).astype(np.uint8)
    return windows.reshape(count, -1), labels


def test_graph_computes_what_is_written_plainly() -> None:
    parameters = random_parameters(seed=1)
    windows = windows_like_life(100, seed=2)
    expected = expit([cnn_logit(window, parameters) for window in windows])
    assert expected.std() > 0.1
    probability = classifier(parameters).predict_proba(windows.reshape(100, -1))
    np.testing.assert_allclose(probability[:, 1], expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(probability.sum(axis=1), 1)


def test_joined_networks_have_the_mean_logit() -> None:
    parts = [random_parameters(seed=seed) for seed in (21, 22, 23)]
    windows = windows_like_life(50, seed=24)
    logits = [[cnn_logit(window, part) for window in windows] for part in parts]
    joined = join_networks(parts)
    probability = classifier(joined).predict_proba(windows.reshape(50, -1))[:, 1]
    np.testing.assert_allclose(probability, expit(np.mean(logits, axis=0)), rtol=0, atol=1e-5)
    np.testing.assert_allclose(probability, expit([cnn_logit(window, joined) for window in windows]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("value", [-32768, 0, 32767])
def test_graph_computes_constant_windows(value: int) -> None:
    parameters = random_parameters(seed=3)
    window: Windows = np.full((1, 50, 6), value, dtype=np.int16)
    (probability,) = classifier(parameters).predict_proba(window.reshape(1, -1))[:, 1]
    assert probability == pytest.approx(expit(cnn_logit(window[0], parameters)), abs=1e-5)


def test_model_file_scores_as_the_classifier_and_is_within_the_limits() -> None:
    fitted = classifier(random_parameters(seed=4))
    windows = windows_like_life(2000, seed=5)
    expected = np.where(is_still(windows), 0, fitted.predict_proba(windows.reshape(2000, -1))[:, 1])
    model = model_of(fitted)
    assert model.meta.spec == "cnn:raw"
    np.testing.assert_allclose(model.probability(windows), expected, rtol=0, atol=1e-6)
    try_model(model.data)


def test_network_and_rich_features_in_one_file_share_the_magnitudes() -> None:
    windows, labels = turning(300, seed=6)
    spec = parse_spec("logreg:rich+cnn:raw")
    logreg = parse_spec("logreg:rich")
    fitted, _ = fit_members(logreg, training_inputs(windows.reshape(-1, 50, 6), logreg), labels, seed=1)
    data = export_model(FittedModel(spec, (*fitted.estimators, classifier(random_parameters(seed=7)))), meta("", ""))
    operators = [node.op_type for node in onnx.load_model_from_string(data).graph.node]
    assert operators.count("Sqrt") == 2  # magnitudes, and deviations of rich


def test_without_pytorch_no_member_is_fitted_and_the_error_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    # No rows for the first member: fitting it would fail with another error.
    with pytest.raises(InputError, match=r"cnn needs PyTorch .* run pip install torch --index-url https://[^ ]+/cpu"):
        fit_members(parse_spec("mlp:rich+cnn:raw"), {}, np.zeros(0, dtype=np.uint8), seed=1)


def test_without_pytorch_training_ends_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_train_dir(tmp_path / "train", make_dataset(window_samples=50))
    monkeypatch.setitem(sys.modules, "torch", None)
    result = invoke("train", "--train-dir", folder, "--model-spec", "cnn:raw")
    assert result.exit_code == 2
    assert result.output.startswith("Error: the model cnn needs PyTorch")
    assert result.output.count("\n") == 1


@needs_pytorch
def test_same_seed_trains_the_same_weights() -> None:
    rows, labels = turning(300, seed=8)

    def weights(seed: int) -> bytes:
        return pickle.dumps(trained(rows, labels, seed=seed).parameters_)

    assert weights(1) == weights(1) != weights(2)


@needs_pytorch
def test_training_learns_and_gives_a_probability_a_row() -> None:
    rows, labels = turning(600, seed=9)
    probability = trained(rows[:400], labels[:400]).predict_proba(rows[400:])[:, 1]
    tested = labels[400:]
    assert probability[tested == 1].mean() > probability[tested == 0].mean() + 0.3


@needs_pytorch
def test_rows_of_weight_zero_are_not_learned_from() -> None:
    rows, labels = turning(800, seed=10)
    wrong = labels.copy()
    wrong[:400] = 1 - wrong[:400]
    probability = trained(rows, wrong, sample_weight=np.repeat([0.0, 1.0], 400)).predict_proba(rows)[:, 1]
    assert probability[labels == 1].mean() > probability[labels == 0].mean() + 0.3


@needs_pytorch
def test_graph_agrees_with_the_network_of_pytorch() -> None:
    import torch  # noqa: PLC0415 - may be missing

    from models.cnn_training import channels_of, new_network, parameters_of  # noqa: PLC0415 - imports PyTorch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = new_network().eval()
    windows, scale = windows_like_life(500, seed=11), np.array([500.0, 300.0])
    sensors = torch.from_numpy(windows.reshape(-1, 50, 2, 3)).float().permute(0, 2, 3, 1)
    with torch.no_grad():
        network[-1].weight.mul_(20)
        channels = channels_of(sensors / torch.from_numpy(scale).float()[:, None, None])
        expected = (network(channels) - 1).sigmoid().numpy()
    probability = classifier(parameters_of(network, scale, -1)).predict_proba(windows.reshape(500, -1))
    assert expected.std() > 0.1
    np.testing.assert_allclose(probability[:, 1:], expected, rtol=0, atol=1e-5)


@needs_pytorch
def test_training_leaves_pytorch_as_it_was() -> None:
    import torch  # noqa: PLC0415 - may be missing

    rows, labels = turning(100, seed=12)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    trained(rows, labels)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


@needs_pytorch
def test_probability_keeps_its_meaning_although_few_negatives_are_shown() -> None:
    """Of 4,000 equal rows one in 100 is positive: the probability is 0.01, although an epoch shows one in 51."""
    labels = (np.arange(4000) % 100 == 0).astype(np.uint8)
    rows = np.repeat(windows_like_life(1, seed=13).reshape(1, -1), 4000, axis=0)
    (probability,) = trained(rows, labels).predict_proba(rows[:1])[:, 1]
    assert probability == pytest.approx(0.01, rel=0.3)


@needs_pytorch
def test_networks_of_a_classifier_differ() -> None:
    rows, labels = turning(100, seed=14)
    ((weights, _), *_) = CnnClassifier(networks=2, least_steps=15).fit(rows, labels).parameters_.convolutions
    assert weights.shape[0] == 48
    assert not np.array_equal(weights[:24], weights[24:])
