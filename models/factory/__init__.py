"""The model that serves until a better one is trained: it comes with the program, and knows synthetic sessions only."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from models.model_file import Model, open_model

FACTORY_FILE: Final = "model.onnx"


def factory_model() -> Model:
    """The model in the package, made by ``python -m models.factory``."""
    return open_model(factory_model_bytes())


def factory_model_bytes() -> bytes:
    """Its file."""
    return files(__name__).joinpath(FACTORY_FILE).read_bytes()
