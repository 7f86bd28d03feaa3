"""The models of the registry, for the page: what each is, how good it was measured to be, and its changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from models.choice import open_version
from models.model_file import open_model, read_model
from models.registry import Registry
from models.spec import spec_in_words
from models.version import Version
from replay.evaluation.intervals import poisson, wilson
from replay.evaluation.wording import rate_text, ratio_text
from stinger.errors import FileError, StingerError
from stinger.json_number import finite_number

BY_HAND: Final = "by hand, on the page"
_LARGEST: Final = 1e9
_HISTORY: Final = 50
_ACTIONS: Final = {
    "add": "stored",
    "promote": "promoted",
    "rollback": "rolled back to",
    "prune": "deleted",
}


@dataclass(frozen=True, slots=True)
class ModelRow:
    """What the page shows of a version."""

    id: str
    champion: bool
    kind: str
    """What it is, in words; empty if its file cannot be read."""
    made: str
    in_time: str
    """Shots in time with the interval; empty if it was not measured on streams."""
    false_spin_ups: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RegistryView:
    """The registry as it was when it was read."""

    rows: tuple[ModelRow, ...]
    """The newest version first."""
    history: tuple[str, ...]
    """The changes, the newest first."""
    can_roll_back: bool
    problem: str
    """What is wrong with the champion; empty if nothing is."""


def read_registry(registry: Registry) -> RegistryView:
    """Return what the page shows of ``registry``. Reads every model's file: not for an event loop.

    Raises :class:`FileError` if the registry cannot be read.
    """
    champion, problem = None, ""
    try:
        champion = registry.champion()
    except FileError as error:
        problem = str(error)
    rows = tuple(_row(version, version == champion) for version in reversed(registry.versions()))
    history = tuple(filter(None, map(_change, reversed(registry.journal()[-_HISTORY:]))))
    return RegistryView(rows, history, bool(registry.earlier_champions()), problem)


def promote(registry: Registry, version_id: str) -> None:
    """Check a version and make it the champion. Raises :class:`~stinger.errors.InputError` if it cannot be used."""
    version = registry.version(version_id)
    opened = open_version(version)
    if opened.us_per_sample is not None:
        registry.keep_trial(version, opened.model.data, opened.us_per_sample)
    registry.promote(version.id, why=BY_HAND)


def roll_back(registry: Registry) -> str:
    """Make the champion's predecessor the champion again, and return its id.

    Raises :class:`~stinger.errors.InputError` if there is none.
    """
    return registry.roll_back(why=BY_HAND).id


def _row(version: Version, champion: bool) -> ModelRow:
    try:
        data = read_model(version.model_path)
        version.check_content(data)
        meta = open_model(data).meta
    except StingerError as error:
        return ModelRow(version.id, champion, "", "", "", "", str(error))
    metrics = meta.metrics
    return ModelRow(
        id=version.id,
        champion=champion,
        kind=spec_in_words(meta.spec),
        made=meta.created[:19].replace("T", " "),
        in_time=in_time_text(metrics),
        false_spin_ups=false_spin_ups_text(metrics),
    )


def in_time_text(metrics: Mapping[str, Any]) -> str:
    """Return the shots in time in a model's metrics, with their interval; empty if it was not measured on streams.

    >>> in_time_text({"accepted_shots": 10, "in_time": 0.9})
    '9 of 10, 90 % (60 to 98 %)'
    """
    shots, part = _number(metrics.get("accepted_shots")), _number(metrics.get("in_time"))
    if shots is None or part is None or not 0 <= part <= 1:
        return ""
    return ratio_text(wilson(round(part * shots), round(shots)))


def false_spin_ups_text(metrics: Mapping[str, Any]) -> str:
    """Return the rate of false spin-ups in a model's metrics, with its interval.

    Empty if the model was not measured on streams.

    >>> false_spin_ups_text({"minutes": 10.0, "false_per_minute": 0.3})
    '3 in 10.00 min, 0.30 a minute (0.06 to 0.88)'
    """
    minutes, rate = _number(metrics.get("minutes")), _number(metrics.get("false_per_minute"))
    return "" if minutes is None or rate is None else rate_text(poisson(round(rate * minutes), minutes))


def _number(value: object) -> float | None:
    number = finite_number(value)
    return number if number is not None and 0 <= number <= _LARGEST else None


def _change(entry: Mapping[str, Any]) -> str:
    """Return one line about an entry of the journal; empty for one that changed no model."""
    action = _ACTIONS.get(str(entry.get("action")))
    if action is None:
        return ""
    version = entry.get("to") or entry.get("version") or "?"
    why = f" ({str(entry['why'])[:200]})" if entry.get("why") else ""
    return f"{str(entry.get('time', ''))[:19].replace('T', ' ')} {action} {version}{why}"
