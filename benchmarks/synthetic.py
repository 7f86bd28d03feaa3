"""Generate a random training set for timing: its windows have the amplitude of real ones, but no structure."""

from __future__ import annotations

import numpy as np

from models.dataset import Dataset, Rows


def training_set(*, shots: int, negatives_a_shot: int, seed: int, window_samples: int = 50) -> Dataset:
    """Return ``shots`` positives, then ``negatives_a_shot`` negatives for each, of one session, hard to distinguish."""
    rng = np.random.default_rng(seed)
    count = shots * (1 + negatives_a_shot)
    labels = (np.arange(count) < shots).astype(np.uint8)
    drift = rng.normal(size=(count, window_samples, 6)).cumsum(axis=1) * 60 + rng.normal(size=(count, 1, 6)) * 800
    phase = np.linspace(0, 1, window_samples)
    aim = (400 * np.sin(6 * phase) + 900 * phase)[None, :, None] * rng.normal(1, 0.6, size=(count, 1, 6))
    windows = (drift + aim * labels[:, None, None]).clip(-32768, 32767).astype(np.int16)

    shot_num = np.concatenate([np.arange(shots), np.repeat(np.arange(shots), negatives_a_shot)])
    shot_ms = 2_000 + 1_500 * shot_num
    event_ms = shot_ms - np.where(labels == 1, 0, rng.integers(300, 1_400, count))
    rows = Rows(
        shot_num=shot_num,
        shot_timestamp_ms=shot_ms,
        distance_to_shot_ms=event_ms - shot_ms,
        event_timestamp_ms=event_ms,
        window_start_ms=event_ms - 600,
        window_end_ms=event_ms - 100,
        session=np.full(count, "synthetic"),
    )
    return Dataset(windows=windows, labels=labels, rows=rows, meta={"window_samples": window_samples})
