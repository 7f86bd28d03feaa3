"""The trade-off of a model on the recordings here.

Shots in time against false spin-ups and duty, at every threshold. ``stinger evaluate`` measures it and ``stinger
calibrate`` stores a threshold, each as a child process of the page.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.choice import FACTORY
from models.factory import factory_model_bytes
from models.registry import Registry
from replay.evaluation.file_names import JSON_FILE
from service.recording.store import read_store
from stinger.errors import FileError, InputError
from stinger.files import make_folder, read_bytes, write_bytes
from stinger.json_number import finite_number
from stinger.logs import read_marked_log
from stinger.mlmd import WINDOW_SAMPLES
from stinger.paths import recordings_dir, registry_dir
from stinger.sample import SAMPLE_BYTES, SAMPLE_RATE_HZ
from stinger.utc import utc_time

TRADE_OFF_FOLDER: Final = "trade-offs"
MOST_HOURS: Final = 10
"""Total length of the newest recordings that are used."""
_MOST_LOGS: Final = 300
"""Largest number of paths on a command line."""
_RESULT_MAX_BYTES: Final = 16_000_000
_DPI: Final = 60


@dataclass(frozen=True, slots=True)
class Point:
    """What a model does at one threshold."""

    threshold: float
    in_time: float
    """Share of the accepted shots."""
    false_per_minute: float
    duty: float


@dataclass(frozen=True, slots=True)
class TradeOff:
    """The trade-off of a model, as it was measured last."""

    points: tuple[Point, ...]
    """Ascending by threshold."""
    operating: float
    """The threshold of the model."""
    shots: int
    minutes: float
    measured: str
    """UTC, to the minute."""
    notes: tuple[str, ...]


def read_trade_off(data_dir: Path, model: str) -> TradeOff | None:
    """Return the trade-off of ``model``, a version or the factory model.

    ``None`` if it was not measured, or cannot be read.
    """
    path = _folder(data_dir, model) / JSON_FILE
    try:
        values = json.loads(read_bytes(path, at_most=_RESULT_MAX_BYTES))
        measured = utc_time(path.stat().st_mtime)
        return _parse(values, f"{measured:%Y-%m-%d %H:%M}", f"{recordings_dir(data_dir)}{os.sep}")
    except (OSError, FileError, ValueError, RecursionError, KeyError, TypeError):
        return None


def measure_arguments(data_dir: Path, model: str) -> list[str]:
    """Return the command line that measures the trade-off of ``model``. Reads recordings: not for an event loop.

    Raises :class:`InputError` for a model that does not exist, and without a recording to measure it on.
    """
    folder = _folder(data_dir, model)
    make_folder(folder)
    return [
        "evaluate",
        "--model-file",
        str(_model_path(data_dir, model)),
        "--outdir",
        str(folder),
        "--dpi",
        str(_DPI),
        *map(str, _choose_logs(data_dir)),
    ]


def store_arguments(data_dir: Path, model: str, threshold: float) -> list[str]:
    """Return the command line that stores ``model`` with ``threshold`` as a new version.

    Raises as :func:`measure_arguments`.
    """
    return [
        "calibrate",
        "--model-file",
        str(_model_path(data_dir, model)),
        "--threshold",
        f"{threshold:.2f}",
        "--data-dir",
        str(data_dir),
        *map(str, _choose_logs(data_dir)),
    ]


def _folder(data_dir: Path, model: str) -> Path:
    """Return the folder of what was measured of ``model``; its name cannot lead elsewhere: it is that of a version."""
    return data_dir / TRADE_OFF_FOLDER / Path(model).name


def _model_path(data_dir: Path, model: str) -> Path:
    if model != FACTORY:
        return Registry(registry_dir(data_dir)).version(model).model_path
    path = _folder(data_dir, FACTORY) / "factory.onnx"
    make_folder(path.parent)
    write_bytes(path, factory_model_bytes())
    return path


def _choose_logs(data_dir: Path) -> list[Path]:
    """Return the newest recordings that a model can be measured on. Raises :class:`InputError` if there is none."""
    stored = sorted(read_store(recordings_dir(data_dir)).recordings, key=lambda one: one.path.stem, reverse=True)
    room = MOST_HOURS * 3600 * SAMPLE_RATE_HZ * SAMPLE_BYTES
    chosen: list[Path] = []
    for one in stored:
        if one.samples_bytes > room or len(chosen) == _MOST_LOGS:
            break
        if one.samples_bytes >= WINDOW_SAMPLES * SAMPLE_BYTES and _is_usable(one.path):
            room -= one.samples_bytes
            chosen.append(one.path)
    if not chosen:
        raise InputError("there is no recording to measure it on: record some minutes with shots first")
    return chosen


def _is_usable(path: Path) -> bool:
    try:
        recordings = read_marked_log(path).recordings
    except FileError:
        return False
    return all(recording.rate.problem is None for recording in recordings)


def _parse(values: Mapping[str, Any], measured: str, folder: str) -> TradeOff:
    """Return the trade-off in the content of the file; paths in its notes become relative to ``folder``.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else.
    """
    points = tuple(
        Point(
            threshold=_number(row["parameters"]["on"]),
            in_time=_number(row["accepted"]["value"]),
            false_per_minute=_number(row["false"]["value"]),
            duty=_number(row["duty"]),
        )
        for row in values["rows"]
        if row["accepted"]["value"] is not None and row["false"]["value"] is not None
    )
    if not points:
        raise ValueError("no threshold has figures")
    operating = values["operating"]
    return TradeOff(
        points=points,
        operating=_number(operating["parameters"]["on"]),
        shots=int(_number(operating["accepted"]["total"])),
        minutes=_number(operating["minutes"]),
        measured=measured,
        notes=tuple(str(line).replace(folder, "")[:500] for line in values["warnings"]),
    )


def _number(value: object) -> float:
    number = finite_number(value)
    if number is None:
        raise ValueError(f"{value!r:.40} is not a number")
    return number
