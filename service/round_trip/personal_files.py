"""Writes the results of a personalisation into a folder: the models in both formats, reports and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from models.windows import LEAD_MS, span_of
from replay.evaluation.file_names import MARKDOWN_FILE, PICTURE_FILE
from replay.evaluation.files import write_evaluation
from replay.plots.forecast import forecast_of
from replay.plots.loss_picture import draw_losses
from replay.plots.predictions import (
    OVERVIEW_PICTURE,
    SHOTS_FOLDER,
    Prediction,
    PredictionOptions,
    pictures_at_most,
    write_predictions,
)
from replay.plots.shot_choice import ShotOrder, choose_shots
from service.round_trip.personal_report import MENU_NAMES, model_result
from service.round_trip.personal_result import PersonalResult, write_result
from service.round_trip.personalising import PersonalModel
from service.round_trip.pushing import LR_FILE, MLP_FILE
from stinger.files import make_folder, write_bytes
from stinger.mlmd import write_mlmd
from stinger.wire.commands import ModelSlot

LOG_FILE: Final = "ml_log.bin"
LOSSES_PICTURE: Final = "training.png"

_BLASTER_FILES: Final = {ModelSlot.LR: LR_FILE, ModelSlot.MLP: MLP_FILE}
_DPI: Final = 150
_SHOTS_MAX: Final = 12
_POINTS_MAX: Final = 25_000


PICTURE_OPTIONS: Final = PredictionOptions(
    compare=True,
    lead_ms=LEAD_MS,
    include_rejected=False,
    pre_ms=1500,
    post_ms=300,
    max_shots=_SHOTS_MAX,
    max_negatives=0,
    threshold=0.5,
    dpi=_DPI,
    max_points=_POINTS_MAX,
    histogram_title="",
)
"""How the pictures are drawn."""


@dataclass(frozen=True, slots=True)
class PersonalFiles:
    """Paths of the written files; ``blaster_files``, ``sweeps`` and ``reports`` in the order of the models.

    ``losses`` is ``None`` if no model was trained in passes.
    """

    blaster_files: tuple[Path, ...]
    overview: Path
    shots: Path
    losses: Path | None
    sweeps: tuple[Path, ...]
    reports: tuple[Path, ...]


def count_pictures(models: Sequence[PersonalModel], options: PredictionOptions = PICTURE_OPTIONS) -> int:
    """Return the largest number of pictures of shots that :func:`write_personal` draws, for a progress bar."""
    return pictures_at_most(prediction_of(models), options)


def write_personal(
    folder: Path,
    models: Sequence[PersonalModel],
    *,
    options: PredictionOptions = PICTURE_OPTIONS,
    shots: ShotOrder = ShotOrder.INSTRUCTIVE,
    others: int = 0,
    progress: Callable[[int], object] = lambda _: None,
) -> PersonalFiles:
    """Write the models, their reports and the pictures into ``folder``. Raises :class:`~stinger.errors.FileError`.

    The pictures show probabilities of models that were not trained on the part of the log that is shown. ``shots`` are
    those that are drawn; ``others`` is the number of recordings in the data folder that were considered for training.
    The file of results is written last: where it is, everything is.
    """
    make_folder(folder)
    names = [str(model.spec).replace(":", "-") for model in models]
    blaster_files = tuple(folder / _BLASTER_FILES[model.slot] for model in models)
    for name, path, model in zip(names, blaster_files, models, strict=True):
        write_bytes(folder / f"{name}.onnx", model.onnx)
        write_mlmd(path, model.blaster_model)
        write_evaluation(model.report, folder / name, dpi=_DPI)
    prediction = prediction_of(models)
    chosen = choose_shots(shots, prediction.sessions, prediction.forecasts, options.max_shots)
    write_predictions(folder, replace(prediction, chosen=chosen), options, progress=progress)
    losses = {str(model.spec): model.losses for model in models if model.losses}
    if losses:
        draw_losses(losses, folder / LOSSES_PICTURE, dpi=_DPI)
    files = PersonalFiles(
        blaster_files=blaster_files,
        overview=folder / OVERVIEW_PICTURE,
        shots=folder / SHOTS_FOLDER,
        losses=folder / LOSSES_PICTURE if losses else None,
        sweeps=tuple(folder / name / PICTURE_FILE for name in names),
        reports=tuple(folder / name / MARKDOWN_FILE for name in names),
    )
    write_result(folder, _result(folder, models, files, others))
    return files


def _result(folder: Path, models: Sequence[PersonalModel], files: PersonalFiles, others: int) -> PersonalResult:
    def described(paths: Sequence[Path], texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
        names = (path.relative_to(folder).as_posix() for path in paths)
        return tuple(zip(names, texts, strict=True))

    menu_names = [MENU_NAMES[model.slot] for model in models]
    shots = sorted(files.shots.glob("*.png"))
    return PersonalResult(
        models=tuple(
            model_result(model, path.name, others) for model, path in zip(models, files.blaster_files, strict=True)
        ),
        pictures=(
            *described([files.overview], ["Probabilities over the whole recording"]),
            *described(files.sweeps, [f"{name}: results at every threshold" for name in menu_names]),
            *(() if files.losses is None else described([files.losses], ["Loss of the MLP while it was trained"])),
            *described(shots, [f"Probabilities around shot {number}" for number in range(1, len(shots) + 1)]),
        ),
        reports=described(files.reports, [f"{name}: report with all numbers" for name in menu_names]),
    )


def prediction_of(models: Sequence[PersonalModel]) -> Prediction:
    """Return what the pictures show: the probabilities of ``models`` over their log, and their thresholds."""
    sessions = [trace.session for trace in models[0].traces]
    spans = [span_of(session.recording) for session in sessions]
    return Prediction(
        sessions=sessions,
        spans=spans,
        forecasts=[
            forecast_of(traces, span)
            for traces, span in zip(zip(*(model.traces for model in models), strict=True), spans, strict=True)
        ],
        dataset=None,
        dataset_probability=None,
        names=tuple(str(model.spec) for model in models),
        thresholds=tuple(model.report.operating.parameters.on for model in models),
    )
