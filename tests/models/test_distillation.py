from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neural_network import MLPClassifier

from models.distillation import LEAST_SHARE, soft_rows
from models.estimators import fit_members, training_inputs
from models.row_options import TEACHER, fit_options
from models.spec import EstimatorOptions, parse_spec
from models.stream_rows import StreamOptions
from models.training import TrainingOptions, train
from stinger.mlmd import WINDOW_SAMPLES
from tests.models.datasets import make_dataset

RICH = parse_spec("mlp:rich")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_copies_of_a_row_weigh_as_much_as_the_probability_of_their_label(probabilities: list[float]) -> None:
    probability = np.array(probabilities)
    rows, labels, weights = soft_rows(probability)
    ones, zeros = (np.bincount(rows, weights * (labels == label), probability.size) for label in (1, 0))
    assert ones == pytest.approx(np.where(probability < LEAST_SHARE, 0, probability), abs=1e-6)
    assert zeros == pytest.approx(np.where(1 - probability < LEAST_SHARE, 0, 1 - probability), abs=1e-6)


def test_copies_have_the_weight_of_their_row() -> None:
    rows, _, weights = soft_rows(np.array([0.25, 0.5, 1.0]), np.array([4.0, 1.0, 2.0]))
    assert rows.tolist() == [0, 0, 1, 1, 2]
    assert weights.tolist() == [1, 3, 0.5, 0.5, 2]


def test_a_model_fitted_to_soft_rows_gives_their_probabilities() -> None:
    features = np.repeat(np.eye(3, dtype=np.float32), 40, axis=0)
    probability = np.repeat([0.1, 0.5, 0.9], 40)
    rows, labels, weights = soft_rows(probability)
    network = MLPClassifier((8,), max_iter=400, learning_rate_init=0.02, random_state=1)
    network.fit(features[rows], labels, weights)
    assert network.predict_proba(np.eye(3))[:, 1] == pytest.approx([0.1, 0.5, 0.9], abs=0.05)


def test_only_the_blasters_mlp_has_a_teacher_whose_features_are_needed_too() -> None:
    distilled = fit_options(StreamOptions(distilled=True))
    assert distilled.teacher_of(RICH) == TEACHER
    assert set(distilled.feature_sets_to_fit(RICH)) == {"rich", "motion"}
    for other in ("logreg:summary", "mlp:motion", "mlp:motion+mlp:rich"):
        assert distilled.teacher_of(parse_spec(other)) is None
        assert distilled.feature_sets_to_fit(parse_spec(other)) == parse_spec(other).feature_sets
    assert fit_options(StreamOptions()).teacher_of(RICH) is None


def test_a_taught_model_has_the_shape_of_any_other_and_follows_its_teacher() -> None:
    dataset = make_dataset(shots=60, negatives_a_shot=2, window_samples=WINDOW_SAMPLES)
    # Nothing to learn: an MLP learns such labels by heart, and logistic regression cannot.
    labels = np.random.default_rng(1).permutation(dataset.labels)
    simple = parse_spec("logreg:summary")
    inputs = {**training_inputs(dataset.windows, RICH), **training_inputs(dataset.windows, simple)}
    options = EstimatorOptions(mlp_epochs=200)
    taught, plain, teacher = (
        fit_members(spec, inputs, labels, seed=1, options=replace(options, mlp_teacher=of))[0]
        for spec, of in ((RICH, simple), (RICH, None), (simple, None))
    )
    shapes = [[layer.shape for layer in model.estimators[0][-1].coefs_] for model in (taught, plain)]
    assert shapes[0] == shapes[1] == [(30, 64), (64, 32), (32, 1)]
    wanted = teacher.probability(inputs)
    differences = [float(np.abs(model.probability(inputs) - wanted).mean()) for model in (taught, plain)]
    assert differences[0] < 0.5 * differences[1]


def test_train_computes_the_features_of_the_teacher() -> None:
    dataset = make_dataset(shots=12, negatives_a_shot=4, sessions=2, window_samples=WINDOW_SAMPLES)
    few = EstimatorOptions(mlp_epochs=2)
    with_teacher = replace(few, mlp_teacher=parse_spec("logreg:summary"))
    plain, taught = (
        train(dataset, TrainingOptions(RICH, split="session", estimators=options)) for options in (few, with_teacher)
    )
    assert taught.split.test.tolist() == plain.split.test.tolist()
    assert not np.array_equal(taught.fitted.estimators[0][-1].coefs_[0], plain.fitted.estimators[0][-1].coefs_[0])
