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
    well (:mod:`models.turning`), and measured on rows as they are. The sessions named in ``others`` are trained on and
    never tested on; a row of another session counts as ``own_weight`` of theirs.
    """

    spec: ModelSpec
    split: str = "random"
    test_size: float = 0.25
    seed: int = 1
    max_rows: int = 0
    refit: bool = False
    turned_deg: float = 0
    others: tuple[str, ...] = ()
    own_weight: float = 1.0
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

    The same dataset, options and versions of the libraries give the same result. Raises
    :class:`~stinger.errors.InputError` for a split that is impossible and for a model whose package is missing.
    """
    rows = stratified_subset(dataset.labels, options.max_rows or len(dataset), seed=options.seed)
    windows, labels = dataset.windows[rows], dataset.labels[rows]
    of_others = np.isin(dataset.rows.session[rows], options.others)
    own = np.flatnonzero(~of_others)
    split = make_split(
        options.split, labels[own], dataset.rows.take(rows[own]), test_size=options.test_size, seed=options.seed
    )
    split = Split(train=np.sort(np.append(own[split.train], np.flatnonzero(of_others))), test=own[split.test])
    weights = np.where(of_others, 1 / options.own_weight, 1.0) if options.others else None
    fitted, warnings = _fit(options, windows, labels, weights, split.train)
    probability = fitted.probability(training_inputs(windows[split.test], options.spec))
    if options.refit:
        fitted, warnings = _fit(options, windows, labels, weights, np.arange(rows.size))
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
    options: TrainingOptions,
    windows: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    weights: npt.NDArray[np.float64] | None,
    rows: npt.NDArray[np.intp],
) -> tuple[FittedModel, tuple[str, ...]]:
    """Fit the model of ``options`` on those ``rows`` of ``windows``, with their ``labels`` and ``weights``, if any."""
    windows, labels = windows[rows], labels[rows]
    weights = None if weights is None else weights[rows]
    if options.turned_deg:
        windows, labels = with_turned(windows, labels, options.turned_deg, options.seed)
        weights = None if weights is None else np.repeat(weights, 2)
    inputs = {name: training_input(windows, name) for name in options.estimators.feature_sets_to_fit(options.spec)}
    return fit_members(options.spec, inputs, labels, seed=options.seed, weights=weights, options=options.estimators)
