"""Synthetic sessions are neither trivial nor hopeless to learn from."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.synthetic_sessions import left_out, training_set


@pytest.mark.parametrize("first_seed", [1, 101])
def test_logistic_regression_on_a_user_left_out_lands_between_060_and_090(first_seed: int) -> None:
    datasets = [training_set(seed, minutes=12) for seed in range(first_seed, first_seed + 6)]
    ratios = [(dataset.labels == 0).sum() / (dataset.labels == 1).sum() for dataset in datasets]
    assert 4 < np.mean(ratios) < 8
    precision = left_out(datasets, "logreg", "summary")
    assert all(0.6 <= value <= 0.9 for value in precision), precision
