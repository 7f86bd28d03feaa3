"""Training sets out of thin air, tiny, so that every model fits them in no time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.dataset import Dataset, Rows, write_dataset


def make_dataset(
    *, shots: int = 8, negatives_a_shot: int = 2, sessions: int = 1, window_samples: int = 10, seed: int = 1
) -> Dataset:
    """Positives first; shots in turn over the sessions, whose clocks all start at 0; positives move more."""
    rng = np.random.default_rng(seed)
    shot = np.concatenate([np.arange(shots), np.repeat(np.arange(shots), negatives_a_shot)])
    labels = (np.arange(shot.size) < shots).astype(np.uint8)
    size = np.where(labels == 1, 700, 300)[:, None, None]
    windows = (rng.normal(size=(shot.size, window_samples, 6)) * size).astype(np.int16)
    shot_ms = 2000 + 3000 * (shot // sessions)
    event_ms = shot_ms - np.where(labels == 1, 0, rng.integers(300, 1500, shot.size))
    rows = Rows(
        shot_num=shot,
        shot_timestamp_ms=shot_ms,
        distance_to_shot_ms=event_ms - shot_ms,
        event_timestamp_ms=event_ms,
        window_start_ms=event_ms - 200,
        window_end_ms=event_ms - 100,
        session=np.array([f"session {number}" for number in shot % sessions]),
    )
    return Dataset(windows=windows, labels=labels, rows=rows, meta={"window_samples": window_samples, "lead_ms": 100})


def write_train_dir(folder: Path, dataset: Dataset) -> Path:
    """``dataset`` written into ``folder``, which is made."""
    folder.mkdir(parents=True)
    write_dataset(folder, dataset)
    return folder
