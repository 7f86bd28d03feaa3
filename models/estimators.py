"""Create, fit and apply estimators. No other module uses scikit-learn's estimator classes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.averaged_mlp import AveragedMlp
from models.cnn import CnnClassifier, check_pytorch
from models.distillation import STUDENT_ALPHA, soft_rows
from models.feature_sets import FITTED_SETS
from models.features import TrainingInput, training_input
from models.hard_negatives import hard_rows
from models.kernel_features import KernelFeatures, SampledScaler
from models.spec import CNN, SCALED, EstimatorOptions, Member, ModelSpec
from stinger.errors import InputError
from stinger.packages import install_command

Labels = npt.NDArray[np.integer[Any]]

Weights = npt.NDArray[np.floating[Any]]

EARLY_STOPPING_ROWS: Final = 80
EARLY_STOPPING_ROWS_A_CLASS: Final = 10
"""With at least this many rows in total and of each class, an MLP reserves a tenth of them to decide when to stop."""

MLP_BATCH_ROWS: Final = 200
"""Rows of a step of an MLP where there are as many (scikit-learn's default)."""
_PATIENCE: Final = 10
"""Epochs without progress after which an MLP stops (scikit-learn's default)."""


Estimator = Any
"""An estimator or pipeline of scikit-learn, which has no type hints of its own."""

MLP_MAX_ALPHA: Final = 1e6
"""A penalty above this only overflows."""

_DEFAULTS: Final = EstimatorOptions()


@dataclass(frozen=True, slots=True, eq=False)
class FittedModel:
    """The fitted estimators of the members of ``spec``, in their order."""

    spec: ModelSpec
    estimators: tuple[Estimator, ...]

    def probability(self, inputs: Mapping[str, TrainingInput]) -> npt.NDArray[np.float64]:
        """Return the probability ``(n,)`` of a shot; ``inputs`` are the rows ``(n, k)`` of each feature set."""
        members = zip(self.spec.members, self.estimators, strict=True)
        outputs = [predict_probability(estimator, inputs[member.features]) for member, estimator in members]
        return np.asarray(np.mean(outputs, axis=0))


def training_inputs(windows: npt.NDArray[np.int16], spec: ModelSpec) -> dict[str, TrainingInput]:
    """Return the rows of each feature set of ``spec`` for ``windows`` ``(n, w, 6)``, those of :func:`training_input`."""
    return {name: training_input(windows, name) for name in spec.feature_sets}


def fit_members(
    spec: ModelSpec,
    inputs: Mapping[str, TrainingInput],
    labels: Labels,
    *,
    seed: int,
    weights: Weights | None = None,
    options: EstimatorOptions = _DEFAULTS,
) -> tuple[FittedModel, tuple[str, ...]]:
    """Fit every member of ``spec`` on its rows in ``inputs`` and ``labels`` ``(n,)``.

    Return warnings as well, a line each.

    ``weights`` ``(n,)`` are the weights of the rows, all 1 by default. The first member has the random seed ``seed``,
    the second ``seed + 1``, and so on. With ``options.hard_rounds``, the rows must be in order of time, and a member is
    fitted on those of :func:`~models.hard_negatives.hard_rows`. With a teacher
    (:meth:`~models.spec.EstimatorOptions.teacher_of`), ``inputs`` hold the rows of its feature sets too. Raises
    :class:`InputError` as :func:`make_estimator` and :func:`fit_estimator` do.
    """
    teacher = options.teacher_of(spec)
    if teacher is not None:
        return _fit_taught(spec, teacher, inputs, labels, seed=seed, weights=weights, options=options)
    warnings: list[str] = []
    if len(spec.members) == 1:
        options = replace(options, mlp_networks=1)
    makers = [
        partial(make_estimator, member.model, member.features, seed=seed + number, labels=labels, options=options)
        for number, member in enumerate(spec.members)
    ]
    estimators = tuple(new() for new in makers)  # before any is fitted: the package of one may be missing
    for member, new, estimator in zip(spec.members, makers, estimators, strict=True):
        values = inputs[member.features]
        rows = _rows_to_fit(new, values, labels, weights, options.hard_rounds)
        lines = fit_estimator(estimator, values[rows], labels[rows], None if weights is None else weights[rows])
        warnings += [f"{member}: {line}" if len(spec.members) > 1 else line for line in lines]
    return FittedModel(spec, estimators), tuple(warnings)


def _fit_taught(
    spec: ModelSpec,
    teacher: ModelSpec,
    inputs: Mapping[str, TrainingInput],
    labels: Labels,
    *,
    seed: int,
    weights: Weights | None,
    options: EstimatorOptions,
) -> tuple[FittedModel, tuple[str, ...]]:
    """Fit ``teacher``, and then ``spec``, which has one member, to its probabilities."""
    fitted, warnings = fit_members(teacher, inputs, labels, seed=seed, weights=weights, options=options)
    rows, copied_labels, copied_weights = soft_rows(fitted.probability(inputs), weights)
    taught = replace(options, mlp_teacher=None, mlp_alpha=STUDENT_ALPHA, hard_rounds=0)
    own = {name: inputs[name][rows] for name in spec.feature_sets}
    student, own_warnings = fit_members(spec, own, copied_labels, seed=seed, weights=copied_weights, options=taught)
    return student, (*warnings, *own_warnings)


def _rows_to_fit(
    new: Callable[[], Estimator], values: TrainingInput, labels: Labels, weights: Weights | None, hard_rounds: int
) -> npt.NDArray[np.intp] | slice:
    def score(rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        estimator = new()
        fit_estimator(estimator, values[rows], labels[rows], None if weights is None else weights[rows])
        return predict_probability(estimator, values)

    return hard_rows(labels, score, hard_rounds) if hard_rounds else slice(None)


def make_estimator(
    model: str,
    features: str,
    *,
    seed: int,
    labels: Labels | None = None,
    options: EstimatorOptions = _DEFAULTS,
) -> Estimator:
    """Return an unfitted estimator.

    Linear models and the MLP follow a StandardScaler in a pipeline; tree models get the features unscaled. Features
    that are fitted, those of :data:`~models.feature_sets.FITTED_SETS`, are the first step of the pipeline. Raises
    :class:`InputError` for an unknown name, an ``mlp_alpha`` outside 0 to :data:`MLP_MAX_ALPHA`, and xgb and cnn
    without their packages.
    """
    member = Member(model, features)
    if member.model == CNN:
        check_pytorch()
        return CnnClassifier(random_state=seed)
    steps = [KernelFeatures(random_state=seed)] if features in FITTED_SETS else []
    if member.model in SCALED:
        steps.append(SampledScaler() if steps else StandardScaler())
    last = _last_step(member, seed=seed, labels=labels, options=options)
    return make_pipeline(*steps, last) if steps else last


def _last_step(member: Member, *, seed: int, labels: Labels | None, options: EstimatorOptions) -> Estimator:
    if member.model == "logreg":
        return LogisticRegression(max_iter=5000)
    if member.model == "ridge":
        return Ridge(alpha=1.0)
    if member.model == "mlp":
        return _mlp(member.features, options, seed=seed, labels=labels)
    if member.model == "hgb":
        # Early stopping off for any number of rows: always 300 iterations, independent of the seed.
        return HistGradientBoostingClassifier(
            max_depth=3, learning_rate=0.1, max_iter=300, early_stopping=False, random_state=seed
        )
    if member.model == "xgb":
        return _xgb(seed=seed, trees=options.trees, n_jobs=options.n_jobs)
    forest = {"rf": RandomForestClassifier, "et": ExtraTreesClassifier}[member.model]
    return forest(
        n_estimators=options.trees,
        min_samples_leaf=options.min_leaf_rows,
        class_weight="balanced",
        random_state=seed,
        n_jobs=options.n_jobs,
    )


def fit_estimator(
    estimator: Estimator, features: TrainingInput, labels: Labels, weights: Weights | None = None
) -> tuple[str, ...]:
    """Fit ``estimator`` on features ``(n, k)`` and ``labels`` ``(n,)``; return warnings for the user, a line each.

    ``weights`` ``(n,)`` are the weights of the rows; a scaler does not use them. Raises :class:`InputError` if there is
    only one class. Warnings of libraries are suppressed; one about convergence becomes a line. Not thread-safe, because
    Python's warning filters apply to the whole process.
    """
    if np.unique(labels).size < 2:  # noqa: PLR2004
        raise InputError(f"only one class to learn from: {labels.size:,} rows, all labelled {labels[0]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if weights is None:
            estimator.fit(features, labels)
        else:
            last = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
            estimator.fit(features, labels, **{f"{last}sample_weight": weights})
    if isinstance(estimator, RandomForestClassifier | ExtraTreesClassifier):
        # Several threads would add up the votes of the trees in varying order, with varying last digits.
        estimator.set_params(n_jobs=1)
    return _fit_warnings(estimator, labels.size)


def loss_curves(fitted: FittedModel) -> dict[str, list[float]]:
    """Return the loss after each pass over the training rows, by member.

    Only MLPs are fitted in passes; other members are not in it.
    """
    curves = {}
    for member, estimator in zip(fitted.spec.members, fitted.estimators, strict=True):
        last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        if isinstance(last, MLPClassifier):
            curves[str(member)] = [round(float(loss), 6) for loss in last.loss_curve_]
    return curves


def predict_probability(estimator: Estimator, features: TrainingInput) -> npt.NDArray[np.float64]:
    """Return the probability ``(n,)`` of a shot for features ``(n, k)``, from a fitted estimator; n may be 0.

    Ridge regression has no probability: the sigmoid of its output is used instead, which ranks windows correctly.
    """
    if features.shape[0] == 0:
        return np.empty(0)
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(features)[:, 1], dtype=np.float64)
    return np.asarray(expit(estimator.predict(features).astype(np.float64)))


def _mlp(features: str, options: EstimatorOptions, *, seed: int, labels: Labels | None) -> Estimator:
    if not 0 <= options.mlp_alpha <= MLP_MAX_ALPHA:
        raise InputError(f"the MLP's alpha is between 0 and {MLP_MAX_ALPHA:g}, not {options.mlp_alpha:g}")
    epochs, early_stopping = options.mlp_epochs, options.mlp_early_stopping
    if early_stopping is None:
        early_stopping = labels is not None and _allows_early_stopping(labels)
    if epochs is not None and labels is not None:
        steps_an_epoch = math.ceil(labels.size / (options.mlp_batch_rows or min(MLP_BATCH_ROWS, labels.size)))
        epochs = max(epochs, math.ceil(options.mlp_min_steps / steps_an_epoch))
    return AveragedMlp(
        networks=options.mlp_networks,
        hidden_layer_sizes=options.mlp_hidden or ((32,) if features == "flatten" else (64, 32)),
        alpha=options.mlp_alpha,
        batch_size=options.mlp_batch_rows or "auto",  # MLP_BATCH_ROWS at most
        learning_rate_init=options.mlp_learning_rate,
        max_iter=epochs or options.mlp_max_iter,
        n_iter_no_change=_PATIENCE if epochs is None else np.inf,
        early_stopping=early_stopping and epochs is None,
        random_state=seed,
    )


def _allows_early_stopping(labels: Labels) -> bool:
    positives = int(np.count_nonzero(labels))
    rarer = min(positives, labels.size - positives)
    return labels.size >= EARLY_STOPPING_ROWS and rarer >= EARLY_STOPPING_ROWS_A_CLASS


def _xgb(*, seed: int, trees: int, n_jobs: int) -> Estimator:
    try:
        from xgboost import XGBClassifier  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise InputError(f"the model xgb needs the package xgboost: run {install_command('xgb')}") from error
    return XGBClassifier(
        max_depth=3,
        n_estimators=trees,
        learning_rate=0.1,
        subsample=0.9,
        colsample_bytree=0.9,
        random_state=seed,
        n_jobs=n_jobs,
    )


def _fit_warnings(estimator: Estimator, rows: int) -> tuple[str, ...]:
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    fixed = isinstance(last, MLPClassifier) and last.n_iter_no_change == np.inf
    if isinstance(last, MLPClassifier | LogisticRegression) and np.max(last.n_iter_) >= last.max_iter and not fixed:
        return (f"did not converge within {last.max_iter} iterations",)
    if isinstance(last, HistGradientBoostingClassifier) and rows < 2 * last.min_samples_leaf:
        # Without the number of rows, which differs from run to run, so that all runs give the same line.
        return (f"learned nothing: too few rows, because each of two leaves needs {last.min_samples_leaf}",)
    return ()
