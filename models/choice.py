"""Choose a model by name: the registry's champion, a version, a file, or the factory model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.factory import factory_model
from models.model_file import Model, load_model
from models.registry import Registry

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
    if choice == FACTORY:
        return ChosenModel(factory_model(), FACTORY)
    if choice == CHAMPION:
        champion = registry.champion()
        return (
            ChosenModel(factory_model(), FACTORY)
            if champion is None
            else ChosenModel(load_model(champion.model_path), champion.id)
        )
    path = Path(choice)
    if path.suffix == ".onnx" or path.exists():
        model = load_model(path)
        return ChosenModel(model, f"{path.stem}-{model.sha256[:8]}")
    version = registry.version(choice)
    return ChosenModel(load_model(version.model_path), version.id)
