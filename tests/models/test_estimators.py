from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import logit
from sklearn.neural_network import MLPClassifier

from models.averaged_mlp import AveragedMlp
from models.estimators import (
    Estimator,
    fit_estimator,
    fit_members,
    loss_curves,
    make_estimator,
    predict_probability,
)
from models.spec import FEATURE_MODELS, EstimatorOptions, Member, ModelSpec, parse_spec
from stinger.errors import InputError

Labels = npt.NDArray[np.uint8]


def two_clouds(rows: int = 60) -> tuple[npt.NDArray[np.float32], Labels]:
    rng = np.random.default_rng(3)
    labels = (np.arange(rows) % 3 == 0).astype(np.uint8)
    return (rng.normal(size=(rows, 18)) + 3 * labels[:, None]).astype(np.float32), labels


@pytest.mark.parametrize("model", FEATURE_MODELS)
def test_every_model_learns_and_gives_a_probability_a_row(model: str) -> None:
    features, labels = two_clouds()
    estimator = make_estimator(model, "summary", seed=1, labels=labels, options=EstimatorOptions(trees=10))
    assert fit_estimator(estimator, features, labels) == ()
    probability = predict_probability(estimator, features)
    assert probability.shape == (60,)
    assert probability.dtype == np.float64
    assert ((probability >= 0) & (probability <= 1)).all()
    assert probability[labels == 1].mean() > probability[labels == 0].mean() + 0.1


@pytest.mark.parametrize("model", FEATURE_MODELS)
def test_no_row_gives_no_probability(model: str) -> None:
    features, labels = two_clouds()
    estimator = make_estimator(model, "summary", seed=1, labels=labels, options=EstimatorOptions(trees=3))
    fit_estimator(estimator, features, labels)
    assert predict_probability(estimator, features[:0]).shape == (0,)


@pytest.mark.parametrize("model", ["mlp", "rf", "et", "xgb"])
def test_the_same_seed_gives_the_same_probabilities(model: str) -> None:
    features, labels = two_clouds()

    def fitted(seed: int) -> Estimator:
        estimator = make_estimator(model, "summary", seed=seed, labels=labels, options=EstimatorOptions(trees=10))
        fit_estimator(estimator, features, labels)
        return predict_probability(estimator, features)

    np.testing.assert_array_equal(fitted(1), fitted(1))
    assert not np.array_equal(fitted(1), fitted(2))


@pytest.mark.parametrize(("model", "scaled"), [("logreg", True), ("ridge", True), ("mlp", True), ("rf", False)])
def test_only_models_that_need_it_are_scaled(model: str, scaled: bool) -> None:
    estimator = make_estimator(model, "summary", seed=1)
    assert ("standardscaler" in getattr(estimator, "named_steps", {})) is scaled


@pytest.mark.parametrize(
    ("model", "kind", "expected"),
    [
        ("logreg", "LogisticRegression", {"max_iter": 5000, "C": 1.0}),
        ("ridge", "Ridge", {"alpha": 1.0}),
        ("mlp", "AveragedMlp", {"activation": "relu", "solver": "adam", "alpha": 1e-4, "max_iter": 800}),
        (
            "rf",
            "RandomForestClassifier",
            {"n_estimators": 300, "min_samples_leaf": 2, "class_weight": "balanced", "bootstrap": True},
        ),
        (
            "et",
            "ExtraTreesClassifier",
            {"n_estimators": 300, "min_samples_leaf": 2, "class_weight": "balanced", "bootstrap": False},
        ),
        (
            "hgb",
            "HistGradientBoostingClassifier",
            {"max_depth": 3, "learning_rate": 0.1, "max_iter": 300, "early_stopping": False},
        ),
        (
            "xgb",
            "XGBClassifier",
            {
                "max_depth": 3,
                "n_estimators": 300,
                "learning_rate": 0.1,
                "subsample": 0.9,
                "colsample_bytree": 0.9,
            },
        ),
    ],
)
def test_estimators_are_those_that_are_documented(model: str, kind: str, expected: dict[str, object]) -> None:
    estimator = make_estimator(model, "rich", seed=1)
    last = list(getattr(estimator, "named_steps", {"": estimator}).values())[-1]
    assert type(last).__name__ == kind
    assert {name: getattr(last, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("features", "hidden", "layers"),
    [("summary", None, (64, 32)), ("rich", None, (64, 32)), ("flatten", None, (32,)), ("rich", (8,), (8,))],
)
def test_the_layers_of_the_mlp(features: str, hidden: tuple[int, ...] | None, layers: tuple[int, ...]) -> None:
    assert (
        make_estimator("mlp", features, seed=1, options=EstimatorOptions(mlp_hidden=hidden))[-1].hidden_layer_sizes
        == layers
    )


@pytest.mark.parametrize(
    ("positives", "negatives", "stops_early"),
    [(10, 70, True), (70, 10, True), (9, 71, False), (71, 9, False), (39, 40, False)],
)
def test_an_mlp_keeps_rows_aside_only_where_it_can_spare_them(
    positives: int, negatives: int, stops_early: bool
) -> None:
    labels = np.repeat(np.array([1, 0], dtype=np.uint8), [positives, negatives])
    assert make_estimator("mlp", "rich", seed=1, labels=labels)[-1].early_stopping is stops_early


def test_an_mlp_that_was_stopped_early_is_reported_in_a_line_without_a_warning() -> None:
    features, labels = two_clouds()
    warnings = fit_estimator(
        make_estimator("mlp", "summary", seed=1, options=EstimatorOptions(mlp_max_iter=2)), features, labels
    )
    assert warnings == ("did not converge within 2 iterations",)


def test_boosting_that_has_too_few_rows_for_a_split_is_reported() -> None:
    features, labels = two_clouds(39)
    warnings = fit_estimator(make_estimator("hgb", "summary", seed=1), features, labels)
    assert warnings == ("learned nothing: too few rows, because each of two leaves needs 20",)


@pytest.mark.parametrize("alpha", [-1, 1e308, float("nan")])
def test_a_penalty_out_of_range_is_refused(alpha: float) -> None:
    with pytest.raises(InputError, match="alpha is between 0 and 1e"):
        make_estimator("mlp", "rich", seed=1, options=EstimatorOptions(mlp_alpha=alpha))


def test_one_class_alone_is_refused() -> None:
    features, _ = two_clouds()
    with pytest.raises(InputError, match="only one class to learn from: 60 rows, all labelled 0"):
        fit_estimator(make_estimator("ridge", "summary", seed=1), features, np.zeros(60, dtype=np.uint8))


def test_xgb_without_its_package_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(InputError, match=r"xgboost: run .* -m pip install \"stinger-ml\[xgb\]\""):
        make_estimator("xgb", "rich", seed=1)


def test_a_spec_reads_back_as_it_was_written() -> None:
    assert parse_spec("mlp:rich") == ModelSpec((Member("mlp", "rich"),))
    assert str(parse_spec("et:flatten")) == "et:flatten"


def test_an_ensemble_reads_back_as_it_was_written() -> None:
    spec = parse_spec(" mlp:motion + et:rich+mlp:rich")
    assert str(spec) == "mlp:motion+et:rich+mlp:rich"
    assert parse_spec(str(spec)) == spec
    assert spec.feature_sets == ("motion", "rich")


def test_an_ensemble_of_one_is_its_member() -> None:
    features, labels = two_clouds()
    fitted, _ = fit_members(parse_spec("logreg:summary"), {"summary": features}, labels, seed=1)
    alone = make_estimator("logreg", "summary", seed=1)
    fit_estimator(alone, features, labels)
    np.testing.assert_array_equal(fitted.probability({"summary": features}), predict_probability(alone, features))


def test_equal_members_of_an_ensemble_differ_in_their_seed() -> None:
    features, labels = two_clouds()
    fitted, warnings = fit_members(
        parse_spec("mlp:summary+mlp:summary"),
        {"summary": features},
        labels,
        seed=1,
        options=EstimatorOptions(mlp_max_iter=2),
    )
    first, second = (predict_probability(estimator, features) for estimator in fitted.estimators)
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(fitted.probability({"summary": features}), (first + second) / 2)
    assert warnings == ("mlp:summary: did not converge within 2 iterations",) * 2


@pytest.mark.parametrize("model", FEATURE_MODELS)
def test_a_row_of_weight_zero_is_not_learned_from(model: str) -> None:
    features, labels = two_clouds(400)
    wrong = labels.copy()
    wrong[:200] = 1 - wrong[:200]
    weights = np.repeat([0.0, 1.0], 200)
    options = EstimatorOptions(trees=10, mlp_early_stopping=False)
    spec = parse_spec(f"{model}:summary")
    fitted, _ = fit_members(spec, {"summary": features}, wrong, seed=1, weights=weights, options=options)
    probability = fitted.probability({"summary": features})
    assert probability[labels == 1].mean() > probability[labels == 0].mean() + 0.1


def test_an_mlp_makes_exactly_the_passes_that_are_asked_for_without_a_warning() -> None:
    features, labels = two_clouds(400)
    estimator = make_estimator("mlp", "summary", seed=1, labels=labels, options=EstimatorOptions(mlp_epochs=3))
    assert fit_estimator(estimator, features, labels) == ()
    assert estimator[-1].n_iter_ == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("mlp:rich+", "'' is not a model: expected MODEL:FEATURES, such as mlp:rich, or several joined by"),
        ("+".join(["mlp:rich"] * 17), "an ensemble has 1 to 16 members, not 17"),
        ("mlp", "'mlp' is not a model: expected MODEL:FEATURES"),
        ("", "'' is not a model"),
        ("svm:rich", "no model 'svm': expected logreg, ridge, mlp, rf, et, hgb, xgb"),
        ("mlp:", "no feature set '': expected summary, rich, flatten"),
        ("mlp:rich:more", "no feature set 'rich:more'"),
        ("cnn:rich", "no 'cnn:rich': the model cnn takes the window itself, cnn:raw"),
        ("mlp:rich+et:raw", "no 'et:raw': raw is for the model cnn; et:flatten has the same samples"),
    ],
)
def test_a_junk_spec_is_refused_with_what_there_is(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse_spec(text)


@pytest.mark.parametrize("model", ["rf", "et"])
def test_forests_fitted_by_several_threads_give_the_same_bits_each_time(model: str) -> None:
    features, labels = two_clouds(600)
    estimator = make_estimator(model, "rich", seed=1, labels=labels, options=EstimatorOptions(trees=100, n_jobs=-1))
    fit_estimator(estimator, features, labels)
    first = predict_probability(estimator, features)
    assert all(np.array_equal(first, predict_probability(estimator, features)) for _ in range(30))


def test_hard_rounds_change_what_each_member_is_fitted_on() -> None:
    rng = np.random.default_rng(1)
    labels = (np.arange(600) % 60 == 0).astype(np.uint8)
    inputs = {"summary": (rng.normal(size=(600, 18)) + labels[:, None]).astype(np.float32)}
    spec = parse_spec("logreg:summary")
    scores = [
        fit_members(spec, inputs, labels, seed=1, options=EstimatorOptions(hard_rounds=rounds))[0].probability(inputs)
        for rounds in (0, 1, 2)
    ]
    # More of the easy negatives are left out, so positives get more weight.
    assert scores[0].mean() < scores[2].mean() < scores[1].mean()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("hidden", [(8,), (8, 4), (8, 4, 3)])
def test_averaged_mlp_computes_the_mean_of_its_networks(hidden: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    rows, labels = rng.normal(size=(200, 5)).astype(np.float32), np.arange(200) % 2
    averaged = AveragedMlp(networks=3, hidden_layer_sizes=hidden, max_iter=3, random_state=7).fit(rows, labels)
    networks = [
        MLPClassifier(hidden_layer_sizes=hidden, max_iter=3, random_state=seed).fit(rows, labels)
        for seed in (7, 1007, 2007)
    ]
    means = np.mean([logit(network.predict_proba(rows)[:, 1].astype(np.float64)) for network in networks], axis=0)
    assert logit(averaged.predict_proba(rows)[:, 1].astype(np.float64)) == pytest.approx(means, abs=1e-4)


def test_networks_are_averaged_in_an_ensemble_only() -> None:
    rng = np.random.default_rng(1)
    labels = (np.arange(100) % 2).astype(np.uint8)
    inputs = {"summary": rng.normal(size=(100, 18)).astype(np.float32)}
    options = EstimatorOptions(mlp_epochs=1, mlp_networks=3)
    for spec, width in (("mlp:summary", 64), ("mlp:summary+logreg:summary", 192)):
        fitted, _ = fit_members(parse_spec(spec), inputs, labels, seed=1, options=options)
        assert fitted.estimators[0][-1].coefs_[0].shape == (18, width)


@pytest.mark.parametrize(("rows", "epochs"), [(100, 400), (4000, 20), (40_000, 5)])
def test_few_rows_get_more_passes(rows: int, epochs: int) -> None:
    options = EstimatorOptions(mlp_epochs=5, mlp_min_steps=400)
    estimator = make_estimator("mlp", "rich", seed=1, labels=np.zeros(rows, dtype=np.uint8), options=options)
    assert estimator[-1].max_iter == epochs


def test_losses_are_those_of_each_pass_of_the_mlps_alone() -> None:
    features, labels = two_clouds(200)
    options = EstimatorOptions(mlp_epochs=6)
    fitted, _ = fit_members(
        parse_spec("logreg:summary+mlp:summary"), {"summary": features}, labels, seed=1, options=options
    )
    curves = loss_curves(fitted)
    assert list(curves) == ["mlp:summary"]
    assert len(curves["mlp:summary"]) == 6
    assert curves["mlp:summary"][-1] < curves["mlp:summary"][0]
