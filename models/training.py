"""Train one model on one side of a split and measure it on the other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.dataset import Dataset
from models.estimators import FittedModel, fit_members, training_inputs
from models.features import training_input
from models.metrics import Metrics, ThresholdReport, compute_metrics, report_at
from models.spec import EstimatorOptions, ModelSpec
from models.splits import Split, make_split, stratified_subset
from models.turning import with_turned


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train; the defaults are those of ``stinger train``.

    ``max_rows`` of 0 means all rows. With ``refit``, one model is fitted on the train side and measured, and another
    one, fitted on all used rows, is returned. With ``turned_deg``, models are fitted on a turned copy of each row as
    well (:mod:`models.turning`), and measured on rows as they are.
    """

    spec: ModelSpec
    split: str = "random"
    test_size: float = 0.25
    seed: int = 1
    max_rows: int = 0
    refit: bool = False
    turned_deg: float = 0
    estimators: EstimatorOptions = field(default_factory=EstimatorOptions)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingResult:
    """A fitted model and its metrics.

    ``rows`` ``(m,)`` are the rows of the dataset that were used; ``split`` indexes ``rows``. ``warnings`` are lines for
    a user, such as that the MLP did not converge.
    """

    fitted: FittedModel
    options: TrainingOptions
    window_samples: int
    rows: npt.NDArray[np.intp]
    split: Split
    train_positives: int
    test_positives: int
    metrics: Metrics
    report: ThresholdReport
    warnings: tuple[str, ...]

    @property
    def refitted(self) -> bool:
        """Whether ``fitted`` was fitted on the test side as well; the metrics are those of a model that was not."""
        return self.options.refit


def train(dataset: Dataset, options: TrainingOptions) -> TrainingResult:
    """Fit the model of ``options`` on one part of ``dataset`` and measure it on the other.

    The same dataset, options and versions of the libraries give the same result. Raises :class:`InputError` for a split
    that is impossible and for a model whose package is missing.
    """
    rows = stratified_subset(dataset.labels, options.max_rows or len(dataset), seed=options.seed)
    windows, labels = dataset.windows[rows], dataset.labels[rows]
    split = make_split(options.split, labels, dataset.rows.take(rows), test_size=options.test_size, seed=options.seed)
    fitted, warnings = _fit(options, windows[split.train], labels[split.train])
    probability = fitted.probability(training_inputs(windows[split.test], options.spec))
    if options.refit:
        fitted, warnings = _fit(options, windows, labels)
    return TrainingResult(
        fitted=fitted,
        options=options,
        window_samples=int(dataset.windows.shape[1]),
        rows=rows,
        split=split,
        train_positives=int(np.count_nonzero(labels[split.train])),
        test_positives=int(np.count_nonzero(labels[split.test])),
        metrics=compute_metrics(labels[split.test], probability),
        report=report_at(labels[split.test], probability),
        warnings=warnings,
    )


def _fit(
    options: TrainingOptions, windows: npt.NDArray[np.int16], labels: npt.NDArray[np.uint8]
) -> tuple[FittedModel, tuple[str, ...]]:
    if options.turned_deg:
        windows, labels = with_turned(windows, labels, options.turned_deg, options.seed)
    inputs = {name: training_input(windows, name) for name in options.estimators.feature_sets_to_fit(options.spec)}
    return fit_members(options.spec, inputs, labels, seed=options.seed, options=options.estimators)
