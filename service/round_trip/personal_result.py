"""The result of a personalisation as a file.

It holds which models were trained, how good they are, and which pictures there are.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from stinger.errors import FileError
from stinger.files import read_bytes, write_bytes

RESULT_FILE: Final = "personal.json"
_SCHEMA: Final = 1
_MAX_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class PersonalModelResult:
    """One of the models."""

    menu_name: str
    """``LR`` or ``MLP``, as in the blaster's menu."""
    file: str
    """Name of its file for the blaster; all names of files are relative to the folder of the result."""
    threshold_percent: int
    """The threshold to set in the blaster's menu."""
    beats_chance: bool
    """Whether it is better than chance, and so may be uploaded."""
    figures: str
    """How good it was on parts of the log that it was not trained on, in a sentence."""
    verdict: str
    """Whether it is better than chance, in a sentence."""
    training: str
    """What it was trained on, in a sentence; empty for the own log alone."""


@dataclass(frozen=True, slots=True)
class PersonalResult:
    """A finished personalisation.

    ``pictures`` have a description each; so have ``reports``, which are Markdown pages.
    """

    models: tuple[PersonalModelResult, ...]
    pictures: tuple[tuple[str, str], ...]
    reports: tuple[tuple[str, str], ...]


def write_result(folder: Path, result: PersonalResult) -> None:
    """Write ``result`` into ``folder``. Raises :class:`~stinger.errors.FileError`."""
    values = {"schema": _SCHEMA, **asdict(result)}
    write_bytes(folder / RESULT_FILE, (json.dumps(values, indent=2) + "\n").encode())


def read_result(folder: Path) -> PersonalResult:
    """Return the result in ``folder``. Raises :class:`FileError` if there is none, or it cannot be read."""
    path = folder / RESULT_FILE
    data = read_bytes(path, at_most=_MAX_BYTES)
    try:
        values = json.loads(data)
        if values["schema"] != _SCHEMA:
            raise FileError(path, f"has the schema {values['schema']!r:.20}, not {_SCHEMA}: train again")
        return PersonalResult(
            tuple(_model(one) for one in values["models"]),
            tuple((str(name), str(text)) for name, text in values["pictures"]),
            tuple((str(name), str(text)) for name, text in values["reports"]),
        )
    except (ValueError, OverflowError, KeyError, TypeError, RecursionError) as error:
        raise FileError(path, "is damaged: train again") from error


def _model(values: dict[str, Any]) -> PersonalModelResult:
    return PersonalModelResult(
        menu_name=str(values["menu_name"]),
        file=str(values["file"]),
        threshold_percent=int(values["threshold_percent"]),
        beats_chance=values["beats_chance"] is True,
        figures=str(values["figures"]),
        verdict=str(values["verdict"]),
        training=str(values["training"]),
    )
