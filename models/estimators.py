"""Create, fit and apply estimators. No other module uses scikit-learn's estimator classes."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.spec import ModelSpec
from stinger.errors import InputError

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.integer[Any]]

EARLY_STOPPING_ROWS: Final = 80
EARLY_STOPPING_ROWS_A_CLASS: Final = 10
"""With at least this many rows in total and of each class, an MLP reserves a tenth of them to decide when to stop."""

_PATIENCE: Final = 10
"""Epochs without progress after which an MLP stops (scikit-learn's default)."""


Estimator = Any
"""An estimator or pipeline of scikit-learn, which has no type hints of its own."""

MLP_MAX_ALPHA: Final = 1e6
"""A penalty above this only overflows."""


def make_estimator(
    model: str,
    features: str,
    *,
    seed: int,
    labels: Labels | None = None,
    mlp_hidden: tuple[int, ...] | None = None,
    mlp_alpha: float = 1e-4,
    mlp_max_iter: int = 800,
    mlp_epochs: int | None = None,
    mlp_early_stopping: bool | None = None,
    mlp_batch_rows: int | None = None,
    mlp_learning_rate: float = 1e-3,
    trees: int = 300,
    min_leaf_rows: int = 2,
    n_jobs: int = 1,
) -> Estimator:
    """Return an unfitted estimator.

    Linear models and the MLP follow a StandardScaler in a pipeline; tree models get the features unscaled.
    ``mlp_hidden`` is the width of each hidden layer, by default ``(64, 32)``, or ``(32,)`` for ``flatten``. Without
    ``mlp_early_stopping``, ``labels`` ``(n,)``, those it will be fitted on, decide about it: it needs enough rows. With
    ``mlp_epochs``, the MLP makes exactly that many passes over the rows, without early stopping. An MLP's step uses ``mlp_batch_rows`` rows, by default at most 200. ``trees`` and ``n_jobs`` (threads) apply to rf, et and xgb,
    ``min_leaf_rows``, the least number of rows in a leaf, to rf and et. Raises :class:`InputError` for an unknown name, an ``mlp_alpha``
    outside 0 to :data:`MLP_MAX_ALPHA`, and xgb without its package.
    """
    spec = ModelSpec(model, features)
    if spec.model == "logreg":
        return _scaled(LogisticRegression(max_iter=5000))
    if spec.model == "ridge":
        return _scaled(Ridge(alpha=1.0))
    if spec.model == "mlp":
        if not 0 <= mlp_alpha <= MLP_MAX_ALPHA:
            raise InputError(f"the MLP's alpha is between 0 and {MLP_MAX_ALPHA:g}, not {mlp_alpha:g}")
        hidden = mlp_hidden or ((32,) if spec.features == "flatten" else (64, 32))
        if mlp_epochs is not None:
            mlp_max_iter, mlp_early_stopping = mlp_epochs, False
        if mlp_early_stopping is None:
            mlp_early_stopping = labels is not None and _allows_early_stopping(labels)
        return _scaled(
            MLPClassifier(
                hidden_layer_sizes=hidden,
                activation="relu",
                solver="adam",
                alpha=mlp_alpha,
                max_iter=mlp_max_iter,
                n_iter_no_change=mlp_epochs or _PATIENCE,
                early_stopping=mlp_early_stopping,
                batch_size=mlp_batch_rows or "auto",
                learning_rate_init=mlp_learning_rate,
                random_state=seed,
            )
        )
    if spec.model == "hgb":
        # Early stopping off for any number of rows: always 300 iterations, independent of the seed.
        return HistGradientBoostingClassifier(
            max_depth=3, learning_rate=0.1, max_iter=300, early_stopping=False, random_state=seed
        )
    if spec.model == "xgb":
        return _xgb(seed=seed, trees=trees, n_jobs=n_jobs)
    forest = {"rf": RandomForestClassifier, "et": ExtraTreesClassifier}[spec.model]
    return forest(
        n_estimators=trees, min_samples_leaf=min_leaf_rows, class_weight="balanced", random_state=seed, n_jobs=n_jobs
    )


def fit_estimator(estimator: Estimator, features: Features, labels: Labels) -> tuple[str, ...]:
    """Fit ``estimator`` on features ``(n, k)`` and ``labels`` ``(n,)``; return warnings for the user, a line each.

    Raises :class:`InputError` if there is only one class. Warnings of libraries are suppressed; one about convergence
    becomes a line. Not thread-safe, because Python's warning filters apply to the whole process.
    """
    if np.unique(labels).size < 2:  # noqa: PLR2004
        raise InputError(f"only one class to learn from: {labels.size:,} rows, all labelled {labels[0]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(features, labels)
    if isinstance(estimator, RandomForestClassifier | ExtraTreesClassifier):
        # Several threads would add up the votes of the trees in varying order, with varying last digits.
        estimator.set_params(n_jobs=1)
    return _fit_warnings(estimator, labels.size)


def predict_probability(estimator: Estimator, features: Features) -> npt.NDArray[np.float64]:
    """Return the probability ``(n,)`` of a shot for features ``(n, k)``, from a fitted estimator; n may be 0.

    Ridge regression has no probability: the sigmoid of its output is used instead, which ranks windows correctly.
    """
    if features.shape[0] == 0:
        return np.empty(0)
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(features)[:, 1], dtype=np.float64)
    return np.asarray(expit(estimator.predict(features).astype(np.float64)))


def _scaled(estimator: Estimator) -> Estimator:
    return make_pipeline(StandardScaler(), estimator)


def _allows_early_stopping(labels: Labels) -> bool:
    positives = int(np.count_nonzero(labels))
    rarer = min(positives, labels.size - positives)
    return labels.size >= EARLY_STOPPING_ROWS and rarer >= EARLY_STOPPING_ROWS_A_CLASS


def _xgb(*, seed: int, trees: int, n_jobs: int) -> Estimator:
    try:
        from xgboost import XGBClassifier  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise InputError("the model xgb needs the package xgboost: run pip install 'stinger-ml[xgb]'") from error
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
    fixed = isinstance(last, MLPClassifier) and last.n_iter_no_change >= last.max_iter
    if isinstance(last, MLPClassifier | LogisticRegression) and np.max(last.n_iter_) >= last.max_iter and not fixed:
        return (f"did not converge within {last.max_iter} iterations",)
    if isinstance(last, HistGradientBoostingClassifier) and rows < 2 * last.min_samples_leaf:
        # Without the number of rows, which differs from run to run, so that all runs give the same line.
        return (f"learned nothing: too few rows, because each of two leaves needs {last.min_samples_leaf}",)
    return ()
