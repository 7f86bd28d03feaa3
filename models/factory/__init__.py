"""The factory model, which is part of the program.

It is trained on synthetic sessions only, and in use until a better one is trained.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from models.model_file import Model, open_model

FACTORY_FILE: Final = "model.onnx"


def factory_model() -> Model:
    """Open the factory model, which ``python -m models.factory`` creates."""
    return open_model(factory_model_bytes())


def factory_model_bytes() -> bytes:
    """Return the content of the factory model's file."""
    return files(__name__).joinpath(FACTORY_FILE).read_bytes()
