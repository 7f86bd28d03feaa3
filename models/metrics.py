"""How good probabilities are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from stinger.errors import InputError

THRESHOLDS: Final[npt.NDArray[np.float64]] = np.arange(1, 100) / 100
"""Where the best F1 is looked for: 0.01 to 0.99 in steps of 0.01."""

Labels = npt.NDArray[np.integer[Any]]
Probability = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Of probabilities against labels: areas under the ROC and the precision-recall curve, and the best F1.

    ``pr_auc`` is the average precision. ``best_threshold`` is the lowest of :data:`THRESHOLDS` that gives ``best_f1``.
    """

    roc_auc: float
    pr_auc: float
    best_f1: float
    best_threshold: float


@dataclass(frozen=True, slots=True)
class ClassReport:
    """Of one class at one threshold; a ratio without a denominator is 0. ``support`` is the rows of the class."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class ThresholdReport:
    """What a threshold makes of the probabilities; at the threshold itself a row counts as positive."""

    threshold: float
    accuracy: float
    positive: ClassReport
    negative: ClassReport
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int


def evaluate(labels: Labels, probability: Probability) -> Metrics:
    """:class:`Metrics` of ``probability`` ``(n,)``. Raises :class:`InputError` where only one class is there."""
    if np.unique(labels).size < 2:  # noqa: PLR2004
        raise InputError(f"nothing to measure: {labels.size} rows of one class")
    positive = labels == 1
    called = probability[:, None] >= THRESHOLDS
    hits = np.count_nonzero(called & positive[:, None], axis=0)
    # F1 = 2 TP / (2 TP + FP + FN), and TP + FP is what was called, TP + FN what there is.
    f1 = 2 * hits / (np.count_nonzero(called, axis=0) + np.count_nonzero(positive))
    best = int(np.argmax(f1))
    return Metrics(
        roc_auc=float(roc_auc_score(positive, probability)),
        pr_auc=float(average_precision_score(positive, probability)),
        best_f1=float(f1[best]),
        best_threshold=float(THRESHOLDS[best]),
    )


def report_at(labels: Labels, probability: Probability, threshold: float = 0.5) -> ThresholdReport:
    """Counts and ratios of calling a row positive from ``threshold`` upwards."""
    called = probability >= threshold
    positive = labels == 1
    hits = int(np.count_nonzero(called & positive))
    alarms = int(np.count_nonzero(called & ~positive))
    misses = int(np.count_nonzero(~called & positive))
    passes = int(np.count_nonzero(~called & ~positive))
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


def _class_report(right: int, wrongly_called: int, missed: int) -> ClassReport:
    return ClassReport(
        precision=_ratio(right, right + wrongly_called),
        recall=_ratio(right, right + missed),
        f1=_ratio(2 * right, 2 * right + wrongly_called + missed),
        support=right + missed,
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
