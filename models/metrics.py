"""Measure probabilities against labels: ROC AUC, PR AUC, F1, precision and recall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stinger.errors import InputError

THRESHOLDS: Final[npt.NDArray[np.float64]] = np.arange(1, 100) / 100
"""Thresholds tried for the best F1: 0.01 to 0.99 in steps of 0.01."""

Labels = npt.NDArray[np.integer[Any]]
Probability = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Areas under the ROC and precision-recall curves, and the best F1 over :data:`THRESHOLDS`.

    ``pr_auc`` is the average precision. ``best_threshold`` is the lowest of :data:`THRESHOLDS` that gives ``best_f1``.
    """

    roc_auc: float
    pr_auc: float
    best_f1: float
    best_threshold: float


@dataclass(frozen=True, slots=True)
class ClassReport:
    """Precision, recall and F1 of one class at one threshold, 0 where undefined. ``support`` is its number of rows."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class ThresholdReport:
    """Counts and ratios at one threshold; a row is predicted positive from the threshold on."""

    threshold: float
    accuracy: float
    positive: ClassReport
    negative: ClassReport
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int


def compute_metrics(labels: Labels, probability: Probability) -> Metrics:
    """Measure ``probability`` ``(n,)`` against ``labels`` ``(n,)``.

    Raises :class:`InputError` if there is only one class.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score  # noqa: PLC0415 - half a second to import

    if np.unique(labels).size < 2:  # noqa: PLR2004
        raise InputError(f"nothing to measure: {labels.size} rows of one class")
    positive = labels == 1
    predicted = probability[:, None] >= THRESHOLDS
    hits = np.count_nonzero(predicted & positive[:, None], axis=0)
    # F1 = 2 TP / (2 TP + FP + FN), where TP + FP are the predicted positives and TP + FN the actual ones.
    f1 = 2 * hits / (np.count_nonzero(predicted, axis=0) + np.count_nonzero(positive))
    best = int(np.argmax(f1))
    return Metrics(
        roc_auc=float(roc_auc_score(positive, probability)),
        pr_auc=float(average_precision_score(positive, probability)),
        best_f1=float(f1[best]),
        best_threshold=float(THRESHOLDS[best]),
    )


def report_at(labels: Labels, probability: Probability, threshold: float = 0.5) -> ThresholdReport:
    """Return counts and ratios if rows are predicted positive from ``threshold`` on."""
    predicted = probability >= threshold
    positive = labels == 1
    hits = int(np.count_nonzero(predicted & positive))
    alarms = int(np.count_nonzero(predicted & ~positive))
    misses = int(np.count_nonzero(~predicted & positive))
    passes = int(np.count_nonzero(~predicted & ~positive))
    return ThresholdReport(
        threshold=threshold,
        accuracy=_ratio(hits + passes, labels.size),
        positive=_class_report(hits, alarms, misses),
        negative=_class_report(passes, misses, alarms),
        true_positives=hits,
        false_positives=alarms,
        true_negatives=passes,
        false_negatives=misses,
    )


def _class_report(right: int, wrong: int, missed: int) -> ClassReport:
    return ClassReport(
        precision=_ratio(right, right + wrong),
        recall=_ratio(right, right + missed),
        f1=_ratio(2 * right, 2 * right + wrong + missed),
        support=right + missed,
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
