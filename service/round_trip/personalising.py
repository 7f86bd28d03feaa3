"""Trains models for a blaster on its own log, and tests each on parts of the log that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from models.decision_parameters import DecisionParameters
from models.folds import Fold
from models.graph.export import blaster_model_of, export_blaster_model
from models.model_file import Model
from models.model_meta import ModelMeta, now_utc, software
from models.provenance import trained_on
from models.row_options import RowOptions
from models.sessions import Session
from models.spec import ModelSpec, parse_spec
from models.stream_rows import StreamOptions
from models.task_runner import TaskRunner
from models.training_rows import BaseRows, TrainingRows
from replay.evaluation.calibration import HeldOutFigures
from replay.evaluation.cost import CostWeights
from replay.evaluation.cost_choice import Budget
from replay.evaluation.data import EvaluationData
from replay.evaluation.evaluate import average_precision
from replay.evaluation.fold_choice import choose_folds, describe_folds
from replay.evaluation.held_out import LOSSES, build_all_rows, train_on_all
from replay.evaluation.output_calibration import calibrate_output
from replay.evaluation.own_weight import choose_own_weight
from replay.evaluation.report import EvaluationReport
from replay.evaluation.sweep import FINE_STEPS, sweep, thresholds
from replay.trace import Trace
from stinger.errors import InputError, StingerError
from stinger.mlmd import BlasterModel
from stinger.shots import MIN_LEAD_MS
from stinger.wire.commands import ModelSlot

SPECS: Final = {parse_spec("logreg:summary"): ModelSlot.LR, parse_spec("mlp:rich"): ModelSlot.MLP}
"""The kinds of model that a blaster supports, and the slot of each."""
MIN_SHOTS: Final = 20
"""With fewer shots, a model that is right every time cannot be distinguished from one that misses a sixth of them
(Wilson's interval)."""
OTHERS_MAX_ROWS: Final = 50_000
"""Of other recordings, about as many rows are used at most, so that training takes minutes."""
ROWS: Final = StreamOptions(every=2, passes=10, distilled=True)
"""A log has few rows: every second negative is used, and an MLP is trained on each row more often than on many
recordings."""
BUDGETS: Final = tuple(Budget(false_per_minute, max_duty=0.5) for false_per_minute in (2.5, 3.0, 4.0))
"""Limits at the threshold that is chosen: the first of them that a model can keep to without missing many shots."""
WEIGHTS: Final = CostWeights(enough_in_time=0.97)
"""The cost that the threshold is chosen by. The last shots in time are dear: if three of a hundred are missed, wheels
turn less.
"""
_DEFAULT_DECISION: Final = DecisionParameters()
_UNKNOWN: Final[Mapping[str, Any]] = {}
_ADVICE: Final = "carry, aim and wait between the shots, as you do in a game"


class NotYetError(StingerError):
    """The log is valid but holds too little data to train on. ``reason`` holds the technical details."""

    def __init__(self, message: str, reason: str = "") -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True, slots=True, eq=False)
class PersonalModel:
    """A model trained on the whole log, and the test of its kind.

    Tested are models trained on other parts of the log than they are tested on.
    """

    spec: ModelSpec
    slot: ModelSlot
    onnx: bytes
    blaster_model: BlasterModel
    traces: tuple[Trace, ...]
    report: EvaluationReport
    held_out: HeldOutFigures
    """The results of thresholds that were chosen on other parts of the log than those that they were tested on."""
    losses: tuple[float, ...] = ()
    """The loss after each pass over the training rows; empty for a model that is not trained in passes."""
    own_weight: float | None = None
    """How many rows of other recordings an own row counts as; ``None`` if no others were used."""

    @property
    def threshold_percent(self) -> int:
        """The threshold to set in the blaster's menu, in percent."""
        return round(100 * self.report.operating.parameters.on)

    @property
    def beats_chance(self) -> bool:
        """Whether it has more shots in time than wheels that are on as often at random times, with 95 % confidence."""
        return self.report.operating.accepted.low > self.report.operating.by_chance


def check_enough(data: EvaluationData) -> None:
    """Raise :class:`NotYetError` if the log holds fewer than :data:`MIN_SHOTS` accepted shots."""
    shots = sum(session.accepted_shots for session in data.sessions)
    if shots < MIN_SHOTS:
        count = f"{shots or 'no'} accepted {'shot' if shots == 1 else 'shots'}"
        raise NotYetError(
            f"the log holds {count}. At least {MIN_SHOTS} are needed, and 100 are good. Record more: {_ADVICE}."
        )


def choose_test_folds(data: EvaluationData) -> tuple[str, tuple[Fold, ...]]:
    """Return the folds to test on, and what they are divided by.

    That is ``session`` if several boots hold enough shots, else ``time``. Raises :class:`NotYetError` if the log is too
    short to be divided or holds too few shots (:func:`check_enough`).
    """
    check_enough(data)
    large = sum(session.accepted_shots >= MIN_SHOTS for session in data.sessions)
    try:
        return choose_folds(data.sessions, by="session" if large > 1 else "time")
    except InputError as error:
        raise _too_little_data(error) from error


def personalise(
    data: EvaluationData,
    by: str,
    folds: Sequence[Fold],
    *,
    specs: Mapping[ModelSpec, ModelSlot] = SPECS,
    others: Sequence[Session] = (),
    rows: StreamOptions = ROWS,
    runner: TaskRunner,
) -> tuple[PersonalModel, ...]:
    """Train a model of each kind in ``specs`` on all of ``data``, on ``rows`` from the stream.

    ``others`` are recordings that share no samples with ``data``. A model is trained on them as well if that is better
    for held-out parts of ``data``; how much the own recordings count is chosen there too.

    They are tested as on a blaster, with the scaling of the output and the threshold that cost least within the first
    of :data:`BUDGETS` that does not make a model miss many shots. Raises :class:`NotYetError` if there is too little
    data to train or to test on.
    """
    training = _Training(data, by, tuple(folds), tuple(others), rows, runner)
    return tuple(_train_and_test(training, spec, slot) for spec, slot in specs.items())


def fit_on_all(
    data: EvaluationData,
    spec: ModelSpec,
    options: RowOptions,
    runner: TaskRunner,
    *,
    decision: DecisionParameters = _DEFAULT_DECISION,
    metrics: Mapping[str, Any] = _UNKNOWN,
    others: Sequence[Session] = (),
    base: BaseRows | None = None,
) -> tuple[Model, tuple[str, ...]]:
    """Train a model on all of ``data``, whose file holds ``decision``; return it, and warnings about the training.

    It is trained on ``base`` as well, the rows of ``others``.

    ``metrics`` are the results of models that were trained without what they were tested on, for its metadata. Raises
    :class:`InputError`.
    """
    meta = ModelMeta(
        spec=str(spec),
        software=software(),
        created=now_utc(),
        lead_ms=options.lead_ms,
        decision=decision,
        training=trained_on((*data.sessions, *others), [log.sha256 for log in data.logs]),
        metrics=metrics,
    )
    return train_on_all(data.sessions, meta, options, runner, base=base)


@dataclass(frozen=True, slots=True, eq=False)
class _Training:
    """What models are trained and tested on, and how."""

    data: EvaluationData
    by: str
    folds: tuple[Fold, ...]
    others: tuple[Session, ...]
    options: StreamOptions
    runner: TaskRunner

    def rows_of_others(self, spec: ModelSpec) -> tuple[TrainingRows, ...]:
        """Return the rows of the other recordings, thinned to at most :data:`OTHERS_MAX_ROWS`."""
        if not self.others:
            return ()
        options = replace(self.options, max_rows=OTHERS_MAX_ROWS)
        return tuple(build_all_rows(self.others, [spec], options, self.runner).values())


def _too_little_data(error: InputError) -> NotYetError:
    return NotYetError(f"this recording holds too little data to train a model on. Record more: {_ADVICE}.", str(error))


def _train_and_test(training: _Training, spec: ModelSpec, slot: ModelSlot) -> PersonalModel:
    data, options, runner = training.data, training.options, training.runner
    tested = describe_folds(training.by, training.folds, options.seed)
    try:
        choice = choose_own_weight(
            data.sessions, training.folds, spec, options, runner, others=training.rows_of_others(spec)
        )
    except InputError as error:
        raise _too_little_data(error) from error
    scaled = calibrate_output(choice.traces, DecisionParameters(), WEIGHTS, BUDGETS, min_lead_ms=MIN_LEAD_MS)
    traces, chosen = scaled.traces, scaled.calibration
    at = thresholds(FINE_STEPS, chosen.parameters.on)
    rows = sweep(traces, chosen.parameters, at, min_lead_ms=MIN_LEAD_MS)
    operating, precision = rows[at.index(chosen.parameters.on)], average_precision(traces)
    metrics = {
        "tested": tested,
        "average_precision": 0.0 if precision is None else precision.value,
        "shots": operating.accepted.total,
        "shots_in_time": operating.accepted.count,
        "false_per_minute": operating.false.value,
        "duty": operating.duty,
        "output_scaling": asdict(scaled.scaling),
    }
    try:
        model, fit_warnings = fit_on_all(
            data,
            spec,
            options,
            runner,
            decision=chosen.parameters,
            metrics=metrics,
            others=() if choice.base is None else training.others,
            base=choice.base,
        )
    except InputError as error:
        raise _too_little_data(error) from error
    report = EvaluationReport(
        subject=str(spec),
        method=tested,
        data=data.files,
        operating=operating,
        average_precision=precision,
        rows=rows,
        warnings=(*data.warnings, *choice.warnings, *fit_warnings),
    )
    blaster_model = scaled.scaling.apply_to_model(blaster_model_of(model))
    return PersonalModel(
        spec,
        slot,
        export_blaster_model(blaster_model, model.meta),
        blaster_model,
        traces,
        report,
        chosen.held_out,
        losses=tuple(model.meta.training[LOSSES].get(str(spec), ())),
        own_weight=None if choice.base is None else choice.base.own_weight,
    )
