"""The result of the newest training in the data folder, from the report that ``stinger retrain`` wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.retraining.report_names import JSON_FILE, PAGE_FILE, PICTURE_FILE, REPORTS_FOLDER
from service.web.served_files import file_url
from service.web.stored_models import false_spin_ups_text, in_time_text
from stinger.errors import InputError
from stinger.files import read_bytes

_HEADLINES: Final = {
    "promoted": "A better model was found, and the daemon uses it now",
    "kept": "The present model stays: no other was clearly better",
    "not yet": "Not yet: there are too few new shots to compare models",
}


@dataclass(frozen=True, slots=True)
class ContenderRow:
    """What the page shows of a model that was compared."""

    name: str
    in_time: str
    false_spin_ups: str
    wheels_on: str


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A training's verdict in words, and the models that were compared."""

    time: str
    """When it began, UTC."""
    headline: str
    why: tuple[str, ...]
    contenders: tuple[ContenderRow, ...]
    """The champion before the training first; empty if nothing was compared."""
    picture_url: str
    """Empty without a picture."""
    report_url: str


def newest_result(data_dir: Path) -> TrainingResult | None:
    """Return the newest training's result; ``None`` if there is none, or its report cannot be read."""
    reports = data_dir / REPORTS_FOLDER
    try:
        stems = sorted((path.name for path in reports.iterdir() if (path / JSON_FILE).is_file()), reverse=True)
    except OSError:
        return None
    for stem in stems[:1]:
        try:
            content = json.loads(read_bytes(reports / stem / JSON_FILE))
            return _result(content, reports / stem)
        except (InputError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            return None
    return None


def _result(content: Mapping[str, Any], folder: Path) -> TrainingResult:
    contest = content["contest"]
    contenders: Sequence[Mapping[str, Any]] = () if contest is None else (contest["champion"], *contest["challengers"])
    outcome = str(content["outcome"])
    return TrainingResult(
        time=str(content["time"])[:16].replace("T", " "),
        headline=_HEADLINES.get(outcome, outcome),
        why=tuple(str(line) for line in content["why"]),
        contenders=tuple(_contender(one, is_champion=number == 0) for number, one in enumerate(contenders)),
        picture_url=file_url(REPORTS_FOLDER, folder.name, PICTURE_FILE) if (folder / PICTURE_FILE).is_file() else "",
        report_url=file_url(REPORTS_FOLDER, folder.name, PAGE_FILE),
    )


def _contender(one: Mapping[str, Any], *, is_champion: bool) -> ContenderRow:
    measured = one["held_out"]
    duty = measured["duty"]
    return ContenderRow(
        name=f"{one['name']} (in use before)" if is_champion else str(one["name"]),
        in_time=in_time_text(measured) or "-",
        false_spin_ups=false_spin_ups_text(measured) or "-",
        wheels_on="-" if duty is None else f"{100 * float(duty):.0f}\u00a0%",
    )
