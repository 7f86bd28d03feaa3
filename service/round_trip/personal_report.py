"""Reports the result of a personalisation in the terminal.

Its reader has a blaster and does not know statistics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from replay.evaluation.evaluate import Evaluation
from replay.evaluation.intervals import Ratio
from replay.evaluation.report import FEW_SHOTS
from service.round_trip.personal_result import PersonalModelResult
from service.round_trip.personalising import PersonalModel
from stinger.wire.commands import ModelSlot
from stinger.wording import counted

MENU_NAMES: Final = {ModelSlot.LR: "LR", ModelSlot.MLP: "MLP"}
"""Names of the models in the blaster's menu."""

_SHOWN_THRESHOLDS: Final = (0.3, 0.5, 0.7)


def result_lines(models: Sequence[PersonalModel]) -> list[str]:
    """Return the result as lines: how the models were tested, a table, and the meaning of its columns."""
    files = models[0].report.data
    shots = sum(file.accepted_shots for file in files)
    minutes = sum(file.minutes for file in files)
    subject = "The recording" if len(files) == 1 else f"The {len(files)} recordings"
    lines = [
        f"{subject}: {minutes:.1f} minutes with {shots} accepted shots.",
        "Each part of it was tested with a model that was not trained on that part, sample by sample as on the blaster:",
        "",
        *_table(models),
        "",
        *threshold_lines(models),
        "",
        "threshold    output of the model at which the wheels are switched on; set in the blaster's menu, 50 % by default",
        "in time      shots with the wheels up to speed when the trigger was pulled; in brackets, the lower limit of the",
        "             true rate with 95 % confidence",
        "by chance    rate of shots in time if the wheels were on as often, but at random times: a good model is far above",
        "false        spin-ups without a shot, per minute",
        "on           share of the time that the wheels turn: noise, heat, battery",
    ]
    if shots < FEW_SHOTS:
        lines += [
            "",
            f"These are few shots: with {FEW_SHOTS} or more, the models are better and the numbers more certain.",
        ]
    return lines


def threshold_lines(models: Sequence[PersonalModel]) -> list[str]:
    """Return a line for each model: the threshold to set in the blaster's menu."""
    return [
        f"{MENU_NAMES[model.slot]}: set {model.threshold_percent} % in the blaster's menu. Chosen and tested on different parts: "
        f"{figures_text(model)}."
        for model in models
    ]


def figures_text(model: PersonalModel) -> str:
    """Return what ``model`` did on parts of the log that neither it nor its threshold was chosen on."""
    return f"{_percent(model.held_out.in_time)} in time, {model.held_out.false_per_minute:.1f} false a minute"


def others_lines(models: Sequence[PersonalModel], others: int) -> list[str]:
    """Return a line for each model: whether it was trained on the ``others`` recordings in the data folder as well."""
    if not others:
        return []
    return [f"{MENU_NAMES[model.slot]}: {_training_text(model, others)}" for model in models]


def verdict_lines(models: Sequence[PersonalModel]) -> list[str]:
    """Return a line for each model: whether it is better than chance."""
    return [f"{MENU_NAMES[model.slot]}: {_verdict_text(model)}" for model in models]


def model_result(model: PersonalModel, file: str, others: int) -> PersonalModelResult:
    """Return the result of one model, whose file for the blaster is ``file``, for the file of results."""
    return PersonalModelResult(
        menu_name=MENU_NAMES[model.slot],
        file=file,
        threshold_percent=model.threshold_percent,
        beats_chance=model.beats_chance,
        figures=f"{figures_text(model)}.",
        verdict=_verdict_text(model),
        training=_training_text(model, others) if others else "",
    )


def _training_text(model: PersonalModel, others: int) -> str:
    if model.own_weight is None:
        return f"trained on your recording alone: {counted(others, 'recording')} in the data folder did not help."
    return (
        f"trained on your recording and {counted(others, 'recording')} in the data folder; a row of yours counts as "
        f"{model.own_weight:g} of theirs."
    )


def _verdict_text(model: PersonalModel) -> str:
    return "predicts your shots better than chance." if model.beats_chance else _not_better(model)


def _not_better(model: PersonalModel) -> str:
    accepted = model.report.operating.accepted
    return (
        f"not reliably better than chance (in time at least {_percent(accepted.low)}, by chance "
        f"{_percent(model.report.operating.by_chance)}), so it is not uploaded."
    )


def _table(models: Sequence[PersonalModel]) -> list[str]:
    rows: list[tuple[str, ...]] = [("model", "threshold", "in time", "by chance", "false", "on")]
    for model in models:
        by_threshold = {row.parameters.on: row for row in model.report.rows}
        at = sorted({*_SHOWN_THRESHOLDS, model.report.operating.parameters.on})
        shown = [by_threshold[on] for on in at if on in by_threshold]
        rows += [(MENU_NAMES[model.slot] if i == 0 else "", *_cells(row)) for i, row in enumerate(shown)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cells(row: Evaluation) -> tuple[str, ...]:
    return (
        _percent(row.parameters.on),
        _in_time(row.accepted),
        _percent(row.by_chance),
        f"{row.false.value:.1f}/min",
        _percent(row.duty),
    )


def _in_time(ratio: Ratio) -> str:
    return f"{ratio.count} of {ratio.total}, {_percent(ratio.value)} ({_percent(ratio.low)})"


def _percent(part: float) -> str:
    return "-" if math.isnan(part) else f"{100 * part:.0f} %"
