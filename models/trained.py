"""Models trained on a dataset here and now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.dataset import Dataset
from models.estimators import Estimator, fit_estimator, make_estimator, predict_probability
from models.features import compute_features
from models.spec import ModelSpec
from models.window_models import Probabilities, WindowModels, Windows


def train_window_models(
    dataset: Dataset, specs: Sequence[ModelSpec], *, seed: int, n_jobs: int = -1
) -> tuple[WindowModels, tuple[str, ...]]:
    """One model for each of ``specs``, fitted on all of ``dataset``, and warnings about the fits, a line each.

    Each feature set is computed once for all the models that use it. Raises
    :class:`~stinger.errors.InputError` for a dataset of one class.
    """
    feature_sets = {spec.features: compute_features(dataset.windows, spec.features) for spec in specs}
    warnings: list[str] = []
    fitted: list[tuple[str, Estimator]] = []
    for spec in specs:
        estimator = make_estimator(spec.model, spec.features, seed=seed, labels=dataset.labels, n_jobs=n_jobs)
        warnings += [
            f"{spec}: {line}" for line in fit_estimator(estimator, feature_sets[spec.features], dataset.labels)
        ]
        fitted.append((spec.features, estimator))

    def probability(windows: Windows) -> Probabilities:
        inputs = {name: compute_features(windows, name) for name in feature_sets}
        columns = [predict_probability(estimator, inputs[name]) for name, estimator in fitted]
        return np.stack(columns, axis=1)

    return WindowModels(names=tuple(str(spec) for spec in specs), probability=probability), tuple(warnings)
