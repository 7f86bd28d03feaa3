from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.dataset import Dataset, Rows, write_dataset
from models.estimators import Estimator, fit_estimator, make_estimator, predict_probability
from models.features import compute_features
from models.model_file import load_model
from models.spec import parse_spec
from models.training import TrainingOptions, train
from tests.helpers.cli import invoke
from tests.models.test_graph import is_still, windows_like_life


def dataset(*, window: int = 50, hz: float = 100.0) -> Dataset:
    count = 120
    windows = windows_like_life(count, seed=11)[:, :window]
    labels = (np.abs(windows[:, -10:, 3]).mean(axis=1) > 1200).astype(np.uint8)
    numbers = np.arange(count)
    rows = Rows(
        **dict.fromkeys(
            ("distance_to_shot_ms", "shot_timestamp_ms", "event_timestamp_ms", "window_start_ms", "window_end_ms"),
            numbers,
        ),
        shot_num=numbers // 4,
        session=np.array(["s"] * count),
    )
    meta = {"window_samples": window, "estimated_hz": hz, "lead_ms": 120, "inputs": [{"path": "a", "sha256": "abc"}]}
    return Dataset(np.ascontiguousarray(windows), labels, rows, meta)


def assert_serves(model_file: Path, estimator: Estimator) -> None:
    """Fail unless the model file gives the probabilities of ``estimator``, but where nothing moves."""
    windows = windows_like_life(500, seed=12)
    expected = predict_probability(estimator, compute_features(windows, "summary"))
    expected[is_still(windows)] = 0
    np.testing.assert_allclose(load_model(model_file).probability(windows), expected, rtol=0, atol=1e-5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_dataset(tmp_path, dataset())
    return tmp_path


def test_saved_model_names_its_training_data_and_its_metrics(folder: Path) -> None:
    result = invoke("train", "--train-dir", folder, "--out", folder / "m.onnx")
    assert result.exit_code == 0, result.output
    meta = load_model(folder / "m.onnx").meta
    assert (meta.spec, meta.lead_ms) == ("logreg:summary", 120)
    assert meta.training["inputs_sha256"] == ["abc"]
    assert meta.training["rows"] == 90
    assert meta.training["fitted_on"] == "the train side of the split"
    assert f"PR AUC     {meta.metrics['pr_auc']:.3f}" in result.output


def test_ensemble_is_trained_and_kept_in_one_file(folder: Path) -> None:
    spec = "logreg:summary+mlp:motion"
    result = invoke("train", "--train-dir", folder, "--model-spec", spec, "--out", folder / "m.onnx")
    assert result.exit_code == 0, result.output
    assert "logreg on summary features + mlp on motion features" in result.output
    assert load_model(folder / "m.onnx").meta.spec == spec


def test_spec_beside_the_options_that_it_contains_is_refused(folder: Path) -> None:
    result = invoke("train", "--train-dir", folder, "--model-spec", "mlp:rich", "--features", "summary")
    assert result.exit_code == 2
    assert "--model-spec and --features set the same" in result.stderr


def test_kept_model_is_the_one_that_was_measured(folder: Path) -> None:
    measured = train(dataset(), TrainingOptions(spec=parse_spec("logreg:summary")))
    invoke("train", "--train-dir", folder, "--out", folder / "m.onnx")
    assert_serves(folder / "m.onnx", measured.fitted.estimators[0])


def test_refitted_model_saw_every_row_and_carries_the_metrics_of_the_one_that_did_not(folder: Path) -> None:
    plain = json.loads(invoke("train", "--train-dir", folder, "--json").output)
    assert invoke("train", "--train-dir", folder, "--refit", "--out", folder / "m.onnx").exit_code == 0
    meta = load_model(folder / "m.onnx").meta
    assert (meta.training["rows"], meta.training["fitted_on"]) == (120, "all rows")
    assert meta.metrics["roc_auc"] == plain["roc_auc"]
    every = dataset()
    estimator = make_estimator("logreg", "summary", seed=1)
    fit_estimator(estimator, compute_features(every.windows, "summary"), every.labels)
    assert_serves(folder / "m.onnx", estimator)


@pytest.mark.parametrize(("window", "hz", "message"), [(40, 100.0, "windows of 40 samples"), (50, 50.0, "at 50 Hz")])
def test_model_that_could_not_serve_is_not_kept(tmp_path: Path, window: int, hz: float, message: str) -> None:
    write_dataset(tmp_path, dataset(window=window, hz=hz))
    result = invoke("train", "--train-dir", tmp_path, "--out", tmp_path / "m.onnx")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "m.onnx").exists()


def test_folder_of_the_model_is_made(folder: Path) -> None:
    assert invoke("train", "--train-dir", folder, "--out", folder / "new" / "m.onnx").exit_code == 0
    assert (folder / "new" / "m.onnx").is_file()


def test_windows_that_no_model_file_takes_are_refused_before_training(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(*_: object) -> None:
        pytest.fail("trained")

    monkeypatch.setattr("models.training.train", fit)
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, "estimated_hz": 50.0}))
    result = invoke("train", "--train-dir", folder, "--out", folder / "m.onnx")
    assert result.exit_code == 2
    assert "has samples at 50 Hz, but a model needs 100 Hz" in result.stderr


def test_place_that_cannot_be_written_is_found_before_training(folder: Path) -> None:
    (folder / "taken").write_text("a file")
    result = invoke("train", "--train-dir", folder, "--out", folder / "taken" / "m.onnx")
    assert result.exit_code == 2
    assert result.stdout == ""
