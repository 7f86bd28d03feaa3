"""Save a trained model as a model file, with its training data and metrics in the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from models.dataset import Dataset
from models.decision import DecisionParameters
from models.estimators import Features, Labels, fit_estimator, make_estimator
from models.features import compute_features
from models.graph.export import export_estimator
from models.model_file import MODEL_MAX_BYTES, Model, open_model
from models.model_meta import ModelMeta
from models.provenance import trained_on_rows
from models.spec import ModelSpec
from models.training import TrainingResult

_NO_OPTIONS: Final[Mapping[str, Any]] = {}


def software() -> str:
    """Return name and version of this program for the metadata of model files."""
    return f"stinger-ml {version('stinger-ml')}"


def now_utc() -> str:
    """Return the current time for the metadata of model files."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def fit_model(
    features: Features,
    labels: Labels,
    meta: ModelMeta,
    *,
    seed: int,
    n_jobs: int = 1,
    max_bytes: int = MODEL_MAX_BYTES,
    estimator_options: Mapping[str, Any] = _NO_OPTIONS,
) -> tuple[Model, tuple[str, ...]]:
    """Fit the model that ``meta`` names on ``features`` ``(n, k)`` and ``labels`` ``(n,)``.

    ``estimator_options`` are further arguments of :func:`models.estimators.make_estimator`. Returns the model exported and
    opened again, as it would run in the daemon, and warnings about the fit, a line each. Raises :class:`InputError` if
    there is only one class, and for a model whose file has more than ``max_bytes``.
    """
    estimator = make_estimator(
        meta.estimator, meta.features, seed=seed, labels=labels, n_jobs=n_jobs, **estimator_options
    )
    warnings = fit_estimator(estimator, features, labels)
    return open_model(export_estimator(estimator, meta), max_bytes=max_bytes), warnings


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
    """Return the model file of ``result``, trained on ``dataset``, with ``decision`` or the blaster's parameters.

    Raises :class:`InputError` if a model file cannot have its windows or their rate, or if it is too large.
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
    open_model(data)  # raises for a file that could not be opened again
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
        **trained_on_rows(dataset, fitted),
        "rows": int(fitted.size),
        "positives": int(dataset.labels[fitted].sum()),
        "fitted_on": "all rows" if result.refitted else "the train side of the split",
        "seed": result.options.seed,
    }
