"""A trained model as a file that can serve, with what it was trained on and how it did."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import numpy as np

from models.dataset import Dataset
from models.decision import DecisionParameters
from models.estimators import Features, Labels, fit_estimator, make_estimator
from models.features import compute_features
from models.graph.export import export_estimator
from models.model_file import Model, open_model
from models.model_meta import ModelMeta
from models.spec import ModelSpec
from models.training import TrainingResult


def software() -> str:
    """The name and version of this program, as model files carry them."""
    return f"stinger-ml {version('stinger-ml')}"


def now_utc() -> str:
    """The time of creation, as model files carry it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def fit_model(
    features: Features, labels: Labels, meta: ModelMeta, *, seed: int, n_jobs: int = 1
) -> tuple[Model, tuple[str, ...]]:
    """The model that ``meta`` names, fitted on ``features`` ``(n, k)`` and ``labels`` ``(n,)``, as the file that would serve.

    Beside it warnings about the fit, a line each. Raises :class:`InputError` for one class only, and for a model too large
    for a file.
    """
    estimator = make_estimator(meta.estimator, meta.features, seed=seed, labels=labels, n_jobs=n_jobs)
    warnings = fit_estimator(estimator, features, labels)
    return open_model(export_estimator(estimator, meta)), warnings


def fit_dataset(dataset: Dataset, spec: ModelSpec, *, seed: int, n_jobs: int = -1) -> tuple[Model, tuple[str, ...]]:
    """Fit the model ``spec`` on all rows of ``dataset`` and return it as :func:`fit_model` does, with warnings.

    Raises :class:`InputError` also for windows or a rate that no model file takes.
    """
    meta = ModelMeta(
        estimator=spec.model,
        features=spec.features,
        software=software(),
        created=now_utc(),
        window_samples=int(dataset.windows.shape[1]),
        rate_hz=dataset.rate_hz,
        lead_ms=dataset.lead_ms,
    )
    features = compute_features(dataset.windows, spec.features)
    return fit_model(features, dataset.labels, meta, seed=seed, n_jobs=n_jobs)


def model_file_bytes(dataset: Dataset, result: TrainingResult, *, decision: DecisionParameters | None = None) -> bytes:
    """The model file of ``result``, which was trained on ``dataset``, with ``decision`` or the blaster's own.

    Raises :class:`InputError` if its windows or their rate are not those of a model file, or it is too large for one.
    """
    spec = result.options.spec
    meta = ModelMeta(
        estimator=spec.model,
        features=spec.features,
        software=software(),
        created=now_utc(),
        window_samples=result.window_samples,
        rate_hz=dataset.rate_hz,
        lead_ms=dataset.lead_ms,
        decision=decision or DecisionParameters(),
        training=_training(dataset, result),
        metrics={**asdict(result.metrics), "split": result.options.split, "test_rows": int(result.split.test.size)},
    )
    data = export_estimator(result.estimator, meta)
    open_model(data)  # what could not be opened again is not kept
    return data


def _training(dataset: Dataset, result: TrainingResult) -> dict[str, Any]:
    digest = sha256(dataset.windows.tobytes())
    digest.update(dataset.labels.tobytes())
    fitted = result.rows if result.refitted else result.rows[result.split.train]
    return {
        "sessions": [str(name) for name in np.unique(dataset.rows.session)],
        "dataset_sha256": digest.hexdigest(),
        "inputs_sha256": [
            str(entry.get("sha256")) for entry in dataset.meta.get("inputs", []) if isinstance(entry, dict)
        ],
        "rows": int(fitted.size),
        "positives": int(dataset.labels[fitted].sum()),
        "fitted_on": "all rows" if result.refitted else "the train side of the split",
        "seed": result.options.seed,
    }
