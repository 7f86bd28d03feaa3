"""Choose a model by name: the registry's champion, a version, a file, or the factory model.

A model that was not tried when it was stored is tried in a process of its own first, so that one that takes too much
memory or time harms nothing here.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.factory import factory_model, factory_model_bytes
from models.model_file import Model, open_model, read_model
from models.registry import Registry
from models.trial import check_speed, try_model
from models.version import Version
from stinger.errors import FileError, InputError

FACTORY: Final = "factory"
CHAMPION: Final = "champion"


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A model, and the name of its version in messages and logs."""

    model: Model
    version: str
    us_per_sample: float | None = None
    """Processor time to score a sample, in microseconds; ``None`` for the factory model, which is not measured."""


def choose_model(choice: str, registry: Registry) -> ChosenModel:
    """Load a model by name: ``champion`` (the factory model until there is one), ``factory``, a version, or a file.

    Raises :class:`InputError` for a model that does not exist, is not valid or not what was stored, or takes too much
    memory or time.
    """
    if choice in (FACTORY, CHAMPION):
        return choose_stored_model(choice, registry)
    if _is_path(choice):
        model, us_per_sample = _open(Path(choice), read_model(choice), None)
        return ChosenModel(model, f"{Path(choice).stem}-{model.sha256[:8]}", us_per_sample)
    return open_version(registry.version(choice))


def open_version(version: Version) -> ChosenModel:
    """Open a version of the registry. Raises :class:`InputError` as :func:`choose_model` does."""
    data = read_model(version.model_path)
    record = version.check_content(data)
    model, us_per_sample = _open(version.model_path, data, None if record is None else record.us_per_sample)
    return ChosenModel(model, version.id, us_per_sample)


def choose_stored_model(choice: str, registry: Registry) -> ChosenModel:
    """Load a model by name, as :func:`choose_model` does, but never from a path: for names that come over a network.

    Raises :class:`InputError`; for a name that the registry does not have, its text is the same whatever the name is.
    """
    if choice == FACTORY:
        return _factory()
    if choice == CHAMPION:
        champion = registry.champion()
        return _factory() if champion is None else open_version(champion)
    for version in registry.versions():
        if version.id == choice:
            return open_version(version)
    raise InputError(
        f"no model of that name in the registry: expected {CHAMPION}, {FACTORY} or an id from 'stinger models list'"
    )


def choose_model_that_works(choice: str, registry: Registry) -> tuple[ChosenModel, str]:
    """Return the model of ``choice``, or the next best one with the reason why ``choice`` cannot be used.

    The reason is empty if it can. The next best model for the champion is the last
    champion before it that can be used; failing that, and for a version of the registry that cannot be used, it is the
    factory model. Raises :class:`InputError` for a name that the registry does not have, and for a file: those are
    mistakes in the configuration.
    """
    try:
        return choose_model(choice, registry), ""
    except InputError as error:
        if choice != CHAMPION and not _is_stored(choice, registry):
            raise
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a stored model, another one can serve
        problem = f"the {choice} cannot be opened: {error!r:.200}"
    for version in _earlier_champions(registry) if choice == CHAMPION else []:
        with suppress(Exception):
            return open_version(version), problem
    return _factory(), problem


def _factory() -> ChosenModel:
    return ChosenModel(factory_model(), FACTORY)


def _open(path: Path, data: bytes, us_per_sample: float | None) -> tuple[Model, float | None]:
    """Open ``data``, the content of ``path``, and return the model and its time for a sample.

    ``us_per_sample`` is ``None`` for a model that was not tried yet: it is tried, unless it is the factory model.
    """
    if data == factory_model_bytes():
        return open_model(data), None
    try:
        if us_per_sample is None:
            us_per_sample = try_model(data).us_per_sample
        check_speed(us_per_sample)
        return open_model(data), us_per_sample
    except InputError as error:
        raise FileError(path, str(error)) from error


def _is_path(choice: str) -> bool:
    return Path(choice).suffix == ".onnx" or os.path.lexists(choice)


def _is_stored(choice: str, registry: Registry) -> bool:
    """Return whether the registry has ``choice``, or cannot be read, so that it may have it."""
    if _is_path(choice):
        return False
    try:
        return any(version.id == choice for version in registry.versions())
    except InputError:
        return True


def _earlier_champions(registry: Registry) -> list[Version]:
    try:
        return registry.earlier_champions()
    except Exception:  # noqa: BLE001 - of a damaged registry nothing is needed
        return []
