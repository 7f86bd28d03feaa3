"""From the log of one blaster to models for it, each tested where it had not seen the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from models.decision import DecisionParameters
from models.export import ExportOptions, build_dataset
from models.folds import Fold
from models.graph.export import blaster_model_of
from models.model_file import Model, open_model
from models.negatives import RECOMMENDED
from models.saving import model_file_bytes
from models.spec import ModelSpec
from models.training import TrainingOptions, train
from replay.evaluation.data import EvaluationData
from replay.evaluation.evaluate import average_precision
from replay.evaluation.fold_choice import choose_folds, describe_folds
from replay.evaluation.out_of_fold import out_of_fold_traces
from replay.evaluation.report import EvaluationReport
from replay.evaluation.sweep import FINE_STEPS, sweep, thresholds
from replay.trace import Trace
from stinger.errors import InputError, StingerError
from stinger.mlmd import BlasterModel
from stinger.shots import MIN_LEAD_MS
from stinger.wire.commands import ModelSlot

SPECS: Final = {ModelSpec("logreg", "summary"): ModelSlot.LR, ModelSpec("mlp", "rich"): ModelSlot.MLP}
"""What a blaster can have, and where it keeps it."""
MIN_SHOTS: Final = 20
"""With fewer, not even a model that gets every shot could be told from one that misses a sixth of them (Wilson's interval)."""
_ADVICE: Final = "carry, aim and wait between the shots, as you do in a game"


class NotYetError(StingerError):
    """The log holds too little to learn from; nothing is wrong with it. ``reason`` is for those who want to know more."""

    def __init__(self, message: str, reason: str = "") -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True, slots=True, eq=False)
class PersonalModel:
    """A model fitted on the whole log, and the test of models like it on parts of the log that they had not seen."""

    spec: ModelSpec
    slot: ModelSlot
    onnx: bytes
    blaster_model: BlasterModel
    traces: tuple[Trace, ...]
    report: EvaluationReport

    @property
    def beats_chance(self) -> bool:
        """Whether it gets more shots in time than wheels that are on as long would by luck, beyond doubt (95 %)."""
        return self.report.operating.accepted.low > self.report.operating.by_chance


def check_enough(data: EvaluationData) -> None:
    """Raise :class:`NotYetError` for a log with fewer than :data:`MIN_SHOTS` shots that count."""
    shots = sum(session.accepted_shots for session in data.sessions)
    if shots < MIN_SHOTS:
        count = f"{shots or 'no'} shot that counts" if shots <= 1 else f"{shots} shots that count"
        raise NotYetError(
            f"the log holds {count}. At least {MIN_SHOTS} are needed, and 100 are good. Record on: {_ADVICE}."
        )


def cut_log(data: EvaluationData) -> tuple[str, tuple[Fold, ...]]:
    """By what the log is cut into parts to test on, and the folds: by time, unless several of its boots are worth one.

    Raises :class:`NotYetError` for a log too short to be cut, and :func:`check_enough`'s.
    """
    check_enough(data)
    large = sum(session.accepted_shots >= MIN_SHOTS for session in data.sessions)
    try:
        return choose_folds(data.sessions, by="session" if large > 1 else "time")
    except InputError as error:
        raise _too_little(error) from error


def personalise(
    data: EvaluationData,
    by: str,
    folds: Sequence[Fold],
    *,
    seed: int = 1,
    progress: Callable[[int], object] = lambda _: None,
) -> tuple[PersonalModel, ...]:
    """A model of each kind that a blaster can have, fitted on all of ``data`` with the recommended options.

    Decisions are those of a blaster as it comes (wheels on at 0.5). ``progress`` is told of each fit, :func:`fits` in all.
    Raises :class:`NotYetError` where there is too little to learn from or to test on.
    """
    return tuple(_personal(data, (by, folds), spec, seed, progress) for spec in SPECS)


def fit_on_all(data: EvaluationData, spec: ModelSpec, *, seed: int) -> tuple[Model, tuple[str, ...]]:
    """A model fitted on all of ``data`` with the recommended options, and warnings about the fit, a line each.

    Its metadata tells how one did that was fitted on three quarters of the shots alone. Raises :class:`InputError`.
    """
    about = {"inputs": [{"path": log.path, "sha256": log.sha256} for log in data.logs]}
    dataset = build_dataset(data.sessions, _options(seed), about=about)
    result = train(dataset, TrainingOptions(spec=spec, split="group", seed=seed, n_jobs=-1, refit=True))
    return open_model(model_file_bytes(dataset, result)), result.warnings


def fits(folds: Sequence[Fold]) -> int:
    """How many models :func:`personalise` fits."""
    return len(SPECS) * (len(folds) + 1)


def _options(seed: int) -> ExportOptions:
    return ExportOptions(negatives=RECOMMENDED, seed=seed)


def _too_little(error: InputError) -> NotYetError:
    return NotYetError(
        f"this recording holds too little that a model could learn from. Record on: {_ADVICE}.", str(error)
    )


def _personal(
    data: EvaluationData,
    cut_by: tuple[str, Sequence[Fold]],
    spec: ModelSpec,
    seed: int,
    progress: Callable[[int], object],
) -> PersonalModel:
    by, folds = cut_by
    try:
        traces, warnings = out_of_fold_traces(data.sessions, folds, spec, _options(seed), progress=progress)
        model, fit_warnings = fit_on_all(data, spec, seed=seed)
    except InputError as error:
        raise _too_little(error) from error
    progress(1)
    parameters = DecisionParameters()
    at = thresholds(FINE_STEPS, parameters.on)
    rows = sweep(traces, parameters, at, min_lead_ms=MIN_LEAD_MS)
    report = EvaluationReport(
        subject=str(spec),
        method=describe_folds(by, folds, seed),
        data=data.files,
        operating=rows[at.index(parameters.on)],
        average_precision=average_precision(traces),
        rows=rows,
        warnings=(*warnings, *fit_warnings),
    )
    return PersonalModel(spec, SPECS[spec], model.data, blaster_model_of(model), traces, report)
