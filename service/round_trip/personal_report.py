"""What came of a personalisation, for somebody who has a blaster and no use for statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from replay.evaluation.evaluate import Evaluation
from replay.evaluation.intervals import Ratio
from replay.evaluation.report import FEW_SHOTS
from service.round_trip.personalising import PersonalModel
from stinger.wire.commands import ModelSlot

MENU_NAMES: Final = {ModelSlot.LR: "LR", ModelSlot.MLP: "MLP"}
"""What the blaster's menu calls the models."""

_SHOWN: Final = (0.3, 0.5, 0.7)


def result_lines(models: Sequence[PersonalModel]) -> list[str]:
    """The result as lines for a terminal: how it was tested, a table, what the words in it mean."""
    file = models[0].report.data[0]
    lines = [
        f"The recording: {file.minutes:.1f} minutes with {file.accepted_shots} shots that count.",
        "Each part of it was tested by a model that had not seen this part, as the blaster would have lived through it:",
        "",
        *_table(models),
        "",
        "in time      the wheels were up to speed when the trigger moved; in brackets, what that proves at least",
        "by luck      so often a shot at any other moment would have been in time: the more above it, the better the model",
        "false        times a minute that the wheels started and no shot came",
        "on           part of the time that the wheels turn: noise, heat, battery",
        "threshold    the menu of the blaster sets it; 50 % is what it comes with",
    ]
    if file.accepted_shots < FEW_SHOTS:
        lines += ["", f"These are few shots: with {FEW_SHOTS}, the models get better and the numbers surer."]
    return lines


def verdict_lines(models: Sequence[PersonalModel]) -> list[str]:
    """For each model a line that says whether it is worth having."""
    return [
        f"{MENU_NAMES[model.slot]}: "
        + ("knows your shots better than luck does." if model.beats_chance else _useless(model))
        for model in models
    ]


def _useless(model: PersonalModel) -> str:
    accepted = model.report.operating.accepted
    return (
        f"not better than luck beyond doubt ({_percent(accepted.low)} at least, {_percent(model.report.operating.by_chance)} "
        "by luck), so it is not offered to the blaster."
    )


def _table(models: Sequence[PersonalModel]) -> list[str]:
    rows: list[tuple[str, ...]] = [("model", "threshold", "in time", "by luck", "false", "on")]
    for model in models:
        by_threshold = {row.parameters.on: row for row in model.report.rows}
        shown = [by_threshold[on] for on in _SHOWN if on in by_threshold]
        rows += [(MENU_NAMES[model.slot] if i == 0 else "", *_cells(row)) for i, row in enumerate(shown)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cells(row: Evaluation) -> tuple[str, ...]:
    return (
        _percent(row.parameters.on),
        _in_time(row.accepted),
        _percent(row.by_chance),
        f"{row.false.value:.1f} a minute",
        _percent(row.duty),
    )


def _in_time(ratio: Ratio) -> str:
    return f"{ratio.count} of {ratio.total}, {_percent(ratio.value)} ({_percent(ratio.low)})"


def _percent(part: float) -> str:
    return "-" if math.isnan(part) else f"{100 * part:.0f} %"
