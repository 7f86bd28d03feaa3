"""Choose a model by name: the registry's champion, a version, a file, or the factory model."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.factory import factory_model
from models.model_file import Model, load_model
from models.registry import Registry, Version
from stinger.errors import InputError

FACTORY: Final = "factory"
CHAMPION: Final = "champion"


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A model, and the name of its version in messages and logs."""

    model: Model
    version: str


def choose_model(choice: str, registry: Registry) -> ChosenModel:
    """Load a model by name: ``champion`` (the factory model until there is one), ``factory``, a version, or a file.

    Raises :class:`InputError` for a model that does not exist or is not valid.
    """
    if choice in (FACTORY, CHAMPION):
        return choose_stored_model(choice, registry)
    if _is_path(choice):
        model = load_model(choice)
        return ChosenModel(model, f"{Path(choice).stem}-{model.sha256[:8]}")
    return _load(registry.version(choice))


def choose_stored_model(choice: str, registry: Registry) -> ChosenModel:
    """Load a model by name, as :func:`choose_model` does, but never from a path: for names that come over a network.

    Raises :class:`InputError`; for a name that the registry does not have, its text is the same whatever the name is.
    """
    if choice == FACTORY:
        return _factory()
    if choice == CHAMPION:
        champion = registry.champion()
        return _factory() if champion is None else _load(champion)
    for version in registry.versions():
        if version.id == choice:
            return _load(version)
    raise InputError(
        f"no model of that name in the registry: expected {CHAMPION}, {FACTORY} or an id from 'stinger models list'"
    )


def choose_model_that_works(choice: str, registry: Registry) -> tuple[ChosenModel, str]:
    """Return the model of ``choice``, and an empty text; or else the next best model, and what is wrong with ``choice``.

    The next best model for the champion is the last champion before it that can be used; failing that, and for a version
    of the registry that cannot be used, it is the factory model. Raises :class:`InputError` for a name that the registry
    does not have, and for a file: those are mistakes in the configuration.
    """
    try:
        return choose_model(choice, registry), ""
    except InputError as error:
        if choice != CHAMPION and not _is_stored(choice, registry):
            raise
        trouble = str(error)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a stored model, another one can serve
        trouble = f"the {choice} cannot be opened: {error!r:.200}"
    for version in _earlier_champions(registry) if choice == CHAMPION else []:
        with suppress(Exception):
            return _load(version), trouble
    return _factory(), trouble


def _factory() -> ChosenModel:
    return ChosenModel(factory_model(), FACTORY)


def _load(version: Version) -> ChosenModel:
    return ChosenModel(load_model(version.model_path), version.id)


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
