"""Names of models and features. Without scikit-learn, so that a command line can be checked without importing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.features import check_feature_set
from stinger.errors import InputError

MODELS: Final = ("logreg", "ridge", "mlp", "rf", "et", "hgb", "xgb")
"""The models of :func:`models.estimators.make_estimator`."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model and its features. Raises :class:`InputError` for an unknown name."""

    model: str
    features: str

    def __post_init__(self) -> None:
        check_model(self.model)
        check_feature_set(self.features)

    def __str__(self) -> str:
        return f"{self.model}:{self.features}"


def parse_spec(text: str) -> ModelSpec:
    """Parse ``model:features``, such as ``mlp:rich``; ``str`` is the inverse.

    >>> parse_spec("mlp:rich")
    ModelSpec(model='mlp', features='rich')

    Raises :class:`InputError` with the valid names for anything else.
    """
    model, colon, features = text.partition(":")
    if not colon:
        raise InputError(f"'{text}' is not a model: expected MODEL:FEATURES, such as mlp:rich")
    return ModelSpec(model.strip(), features.strip())


def check_model(name: str) -> None:
    """Raise :class:`InputError`, with the valid names, unless ``name`` is one of :data:`MODELS`."""
    if name not in MODELS:
        raise InputError(f"there is no model '{name}': expected {', '.join(MODELS)}")
