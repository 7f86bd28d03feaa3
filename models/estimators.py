"""The estimators: made, fitted, and asked for a probability. The one module that knows scikit-learn's classes."""

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
"""An MLP keeps a tenth of its rows aside to know when to stop only with at least this many in all, and of each class."""


Estimator = Any
"""What :func:`make_estimator` gives: an estimator or a pipeline of scikit-learn, which has no types of its own."""

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
    trees: int = 300,
    n_jobs: int = 1,
) -> Estimator:
    """An unfitted estimator. ``labels`` ``(n,)`` are those it will be fitted on: they decide on early stopping.

    Linear models and the MLP stand behind a StandardScaler in a pipeline; tree models take features as they are.
    ``mlp_hidden`` is the width of each hidden layer, by default ``(64, 32)``, or ``(32,)`` for ``flatten``. ``trees``
    counts for rf, et and xgb; ``n_jobs`` threads for the same three. Raises :class:`InputError` for an unknown name, an
    ``mlp_alpha`` outside 0 to :data:`MLP_MAX_ALPHA`, and xgb without its package.
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
        return _scaled(
            MLPClassifier(
                hidden_layer_sizes=hidden,
                activation="relu",
                solver="adam",
                alpha=mlp_alpha,
                max_iter=mlp_max_iter,
                early_stopping=labels is not None and _allows_early_stopping(labels),
                random_state=seed,
            )
        )
    if spec.model == "hgb":
        # Early stopping off, whatever the number of rows: always 300 iterations, and the seed has no part in it.
        return HistGradientBoostingClassifier(
            max_depth=3, learning_rate=0.1, max_iter=300, early_stopping=False, random_state=seed
        )
    if spec.model == "xgb":
        return _xgb(seed=seed, trees=trees, n_jobs=n_jobs)
    forest = {"rf": RandomForestClassifier, "et": ExtraTreesClassifier}[spec.model]
    return forest(n_estimators=trees, min_samples_leaf=2, class_weight="balanced", random_state=seed, n_jobs=n_jobs)


def fit_estimator(estimator: Estimator, features: Features, labels: Labels) -> tuple[str, ...]:
    """Fit ``estimator`` on ``(n, k)`` and ``(n,)``; what a user should know about it comes back, a line each.

    Raises :class:`InputError` where only one class is present. No warning of a library escapes: one about convergence
    becomes a line. Not for several threads at once, as Python keeps its warning filters for the whole process.
    """
    if np.unique(labels).size < 2:  # noqa: PLR2004
        raise InputError(f"only one class to learn from: {labels.size:,} rows, all labelled {labels[0]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(features, labels)
    if isinstance(estimator, RandomForestClassifier | ExtraTreesClassifier):
        # Several threads would add up the trees' votes in whatever order they end: other last digits each time.
        estimator.set_params(n_jobs=1)
    return _remarks(estimator, labels.size)


def predict_probability(estimator: Estimator, features: Features) -> npt.NDArray[np.float64]:
    """The probability ``(n,)`` of a shot for features ``(n, k)``, from a fitted estimator; for n = 0 too.

    Ridge regression has no probability of its own: the sigmoid of its output stands in, as a score to rank by.
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


def _remarks(estimator: Estimator, rows: int) -> tuple[str, ...]:
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if isinstance(last, MLPClassifier | LogisticRegression) and np.max(last.n_iter_) >= last.max_iter:
        return (f"did not converge within {last.max_iter} iterations",)
    if isinstance(last, HistGradientBoostingClassifier) and rows < 2 * last.min_samples_leaf:
        # Without the number of rows, which differs from run to run: one remark then stands for all of them.
        return (f"learnt nothing: too few rows, as each of two leaves needs {last.min_samples_leaf}",)
    return ()
