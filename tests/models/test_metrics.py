from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.metrics import THRESHOLDS, compute_metrics, report_at
from stinger.errors import InputError

scored = st.integers(2, 40).flatmap(
    lambda count: st.tuples(
        hnp.arrays(np.uint8, count, elements=st.integers(0, 1)),
        hnp.arrays(np.float64, count, elements=st.floats(0, 1)),
    )
)


@given(scored)
def test_the_best_f1_is_that_of_the_lowest_best_threshold(
    pair: tuple[np.typing.NDArray[np.uint8], np.typing.NDArray[np.float64]],
) -> None:
    labels, probability = pair
    labels[:2] = [0, 1]
    f1 = [report_at(labels, probability, threshold).positive.f1 for threshold in THRESHOLDS.tolist()]
    metrics = compute_metrics(labels, probability)
    assert metrics.best_f1 == pytest.approx(max(f1))
    assert metrics.best_threshold == THRESHOLDS[int(np.argmax(f1))]


@given(scored)
def test_the_counts_of_a_report_add_up(
    pair: tuple[np.typing.NDArray[np.uint8], np.typing.NDArray[np.float64]],
) -> None:
    labels, probability = pair
    report = report_at(labels, probability)
    assert report.true_positives + report.false_negatives == report.positive.support == labels.sum()
    assert report.positive.support + report.negative.support == labels.size
    right = report.true_positives + report.true_negatives
    assert report.accuracy == pytest.approx(right / labels.size)


def test_known_numbers() -> None:
    metrics = compute_metrics(np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.6, 0.1]))
    assert metrics.roc_auc == pytest.approx(0.75)
    assert metrics.pr_auc == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)
    assert metrics.best_f1 == pytest.approx(0.8)
    assert metrics.best_threshold == 0.11


@pytest.mark.parametrize(
    ("shot", "none", "best"), [(0.015, 0.005, 0.01), (0.995, 0.985, 0.99), (0.999, 0.99, None), (0.009, 0.001, None)]
)
def test_thresholds_are_tried_from_001_to_099(shot: float, none: float, best: float | None) -> None:
    metrics = compute_metrics(np.array([1, 0]), np.array([shot, none]))
    assert (metrics.best_threshold if metrics.best_f1 == 1 else None) == best


def test_a_row_at_the_threshold_counts_as_positive() -> None:
    assert report_at(np.array([1, 0]), np.array([0.5, 0.5])).true_positives == 1


def test_one_class_cannot_be_measured() -> None:
    with pytest.raises(InputError, match="3 rows of one class"):
        compute_metrics(np.zeros(3, dtype=np.uint8), np.zeros(3))
