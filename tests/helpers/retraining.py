"""Data folders to retrain on, and champions that are easy to beat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np

from models.estimators import FittedModel, make_estimator
from models.graph.export import export_model
from models.model_meta import ModelMeta
from models.registry import Registry
from models.sessions import Session
from models.spec import parse_spec
from stinger.paths import recordings_dir
from stinger.recording import split_recordings
from stinger.sample import SampleArray
from stinger.shots import find_shots
from tests.helpers.recordings import write_recording

FIRST = datetime(2026, 1, 1, 12, tzinfo=UTC)


def session_of(samples: SampleArray, name: str = "made") -> Session:
    (recording,) = split_recordings(samples)
    return Session(name, recording, find_shots(recording), 0)


def keep_recording(
    data_dir: Path, samples: SampleArray, *, device: str = "b1", hours: float = 0, closed: bool = True
) -> Path:
    """Create a recording as a daemon leaves it, that began ``hours`` after :data:`FIRST`; return its path."""
    started_s = (FIRST + timedelta(hours=hours)).timestamp()
    return write_recording(recordings_dir(data_dir), device, started_s, samples, closed=closed)


@lru_cache
def blind_model() -> bytes:
    """Return a model file without skill: trained on noise with random labels, it gives about 0.5 for every window."""
    rng = np.random.default_rng(1)
    labels = np.arange(400) % 2
    estimator = make_estimator("logreg", "summary", seed=1)
    estimator.fit(rng.normal(scale=1e6, size=(400, 18)).astype(np.float32), labels)
    meta = ModelMeta("logreg:summary", software="test", created="2026-01-01", training={"inputs_sha256": ["none"]})
    return export_model(FittedModel(parse_spec("logreg:summary"), (estimator,)), meta)


def promote_blind(data_dir: Path) -> str:
    """Make :func:`blind_model` the champion below ``data_dir``, as one that was tried already; return its version."""
    registry = Registry(data_dir / "registry")
    return registry.promote(registry.add("blind", blind_model(), {}, us_per_sample=5.0).id, why="test").id
