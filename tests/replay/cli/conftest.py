"""Logs and a model that the commands are tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.estimators import training_inputs
from models.export import ExportOptions, build_dataset
from models.model_meta import ModelMeta
from models.saving import fit_model
from models.sessions import open_sessions
from models.spec import parse_spec
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
    spec = parse_spec("logreg:summary")
    meta = ModelMeta(str(spec), "test", "2026-01-01", training={"sha256": [log.sha256]})
    model, _ = fit_model(training_inputs(dataset.windows, spec), dataset.labels, meta, seed=1)
    (folder / "model.onnx").write_bytes(model.data)
    return folder
