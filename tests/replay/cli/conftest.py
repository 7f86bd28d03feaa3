"""Logs and a model that the commands are tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.estimators import fit_estimator, make_estimator
from models.export import ExportOptions, build_dataset
from models.features import compute_features
from models.graph.export import export_estimator
from models.model_meta import ModelMeta
from models.sessions import open_sessions
from stinger.logs import read_log, write_log
from tests.helpers.samples import samples_at
from tests.helpers.synthetic import synthetic_samples


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``log.bin`` and ``other.bin`` with shots, ``quiet.bin`` without, and ``model.onnx``, trained on the first."""
    folder = tmp_path_factory.mktemp("evaluate")
    for seed, name in enumerate(("log", "other")):
        write_log(folder / f"{name}.bin", synthetic_samples(6000, 15, seed=seed, bursts=2))
    write_log(folder / "quiet.bin", samples_at(np.arange(1000) * 10))
    log = read_log(folder / "log.bin")
    dataset = build_dataset(open_sessions([log]), ExportOptions(), about={})
    estimator = make_estimator("logreg", "summary", seed=1, labels=dataset.labels)
    fit_estimator(estimator, compute_features(dataset.windows, "summary"), dataset.labels)
    meta = ModelMeta("logreg", "summary", "test", "2026-01-01", training={"sha256": [log.sha256]})
    (folder / "model.onnx").write_bytes(export_estimator(estimator, meta))
    return folder
