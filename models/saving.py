"""Save a trained model as a model file, with its training data and metrics in the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any, Final

import numpy as np

from models.dataset import Dataset
from models.decision_parameters import DecisionParameters
from models.estimators import Labels, Weights, fit_members, training_inputs
from models.features import TrainingInput
from models.graph.export import export_model
from models.model_file import MODEL_MAX_BYTES, Model, open_model
from models.model_meta import ModelMeta, now_utc, software
from models.provenance import trained_on_rows
from models.spec import EstimatorOptions, ModelSpec, parse_spec
from models.training import TrainingResult

_DEFAULTS: Final = EstimatorOptions()


def fit_model(
    inputs: Mapping[str, TrainingInput],
    labels: Labels,
    meta: ModelMeta,
    *,
    seed: int,
    weights: Weights | None = None,
    options: EstimatorOptions = _DEFAULTS,
    max_bytes: int = MODEL_MAX_BYTES,
) -> tuple[Model, tuple[str, ...]]:
    """Fit the model that ``meta`` names, as :func:`models.estimators.fit_members` does.

    Returns the model exported and opened again, as it would run in the daemon, and warnings about the fit, a line each.
    Raises :class:`~stinger.errors.InputError` if there is only one class, and for a model whose file has more than
    ``max_bytes``.
    """
    fitted, warnings = fit_members(parse_spec(meta.spec), inputs, labels, seed=seed, weights=weights, options=options)
    return open_model(export_model(fitted, meta), max_bytes=max_bytes), warnings


def fit_dataset(
    dataset: Dataset, spec: ModelSpec, *, seed: int, options: EstimatorOptions = _DEFAULTS
) -> tuple[Model, tuple[str, ...]]:
    """Fit the model ``spec`` on all rows of ``dataset`` and return it as :func:`fit_model` does, with warnings.

    Raises :class:`~stinger.errors.InputError` also for windows or a rate that no model file takes.
    """
    meta = ModelMeta(
        spec=str(spec),
        software=software(),
        created=now_utc(),
        window_samples=int(dataset.windows.shape[1]),
        rate_hz=dataset.rate_hz,
        lead_ms=dataset.lead_ms,
    )
    inputs = training_inputs(dataset.windows, spec)
    return fit_model(inputs, dataset.labels, meta, seed=seed, options=options)


def model_file_bytes(dataset: Dataset, result: TrainingResult, *, decision: DecisionParameters | None = None) -> bytes:
    """Return the model file of ``result``, trained on ``dataset``, with ``decision`` or the blaster's parameters.

    Raises :class:`~stinger.errors.InputError` if a model file cannot have its windows or their rate, or if it is too
    large.
    """
    meta = ModelMeta(
        spec=str(result.options.spec),
        software=software(),
        created=now_utc(),
        window_samples=result.window_samples,
        rate_hz=dataset.rate_hz,
        lead_ms=dataset.lead_ms,
        decision=decision or DecisionParameters(),
        training=_training(dataset, result),
        metrics={**asdict(result.metrics), "split": result.options.split, "test_rows": int(result.split.test.size)},
    )
    data = export_model(result.fitted, meta)
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
