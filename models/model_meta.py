"""What a model file says about itself: one JSON document in the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from models.decision import DecisionParameters
from stinger.errors import InputError
from stinger.mlmd import WINDOW_SAMPLES
from stinger.sample import SAMPLE_RATE_HZ

META_KEY: Final = "stinger"
"""The key of the document in the ONNX metadata."""
SCHEMA_VERSION: Final = 1
GATE_LSB: Final = 60.0
"""Below this root mean square of the gyroscope's magnitude over a window, the output is 0 (the blaster's motion gate)."""
LEAD_MS: Final = 100.0
RATE_TOLERANCE: Final = 0.05
"""A model may be trained on samples whose rate is so far from 100 Hz, as a part of it: clocks differ."""
_NUMBER_MAX: Final = 1e9

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "estimator": (str,),
    "features": (str,),
    "window_samples": (int,),
    "rate_hz": (int, float),
    "lead_ms": (int, float),
    "gate_lsb": (int, float),
    "decision": (dict,),
    "training": (dict,),
    "metrics": (dict,),
    "software": (str,),
    "created": (str,),
}


@dataclass(frozen=True, slots=True)
class ModelMeta:
    """The document. ``training`` names the data (hashes, counts), ``metrics`` how the model did on its test side."""

    estimator: str
    features: str
    software: str
    created: str
    """UTC, ISO 8601."""
    window_samples: int = WINDOW_SAMPLES
    rate_hz: float = SAMPLE_RATE_HZ
    lead_ms: float = LEAD_MS
    """The output at time t speaks of a shot at t + lead_ms."""
    gate_lsb: float = GATE_LSB
    decision: DecisionParameters = field(default_factory=DecisionParameters)
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The document as text, on one line."""
        values = {name: getattr(self, name) for name in _TYPES} | {"decision": self.decision.to_json()}
        return json.dumps({"schema": SCHEMA_VERSION, **values})


def parse_meta(text: str) -> ModelMeta:
    """The document in ``text``.

    Raises :class:`InputError` if it is of another schema, lacks a field, or holds a value that cannot be.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("the metadata is not JSON") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, int) or schema < 1:
        raise InputError("the metadata names no schema version")
    if schema > SCHEMA_VERSION:
        raise InputError(f"the metadata has schema {schema}, this program knows {SCHEMA_VERSION}: upgrade it")
    values = {name: _value(name, document.get(name), types) for name, types in _TYPES.items()}
    if values["window_samples"] != WINDOW_SAMPLES:
        raise InputError(f"says that its windows have {values['window_samples']} samples, expected {WINDOW_SAMPLES}")
    if not serves_rate(values["rate_hz"]):
        raise InputError(f"says that it takes samples at {values['rate_hz']:g} Hz, expected {SAMPLE_RATE_HZ}")
    return ModelMeta(**values | {"decision": DecisionParameters.from_json(values["decision"])})


def serves_rate(rate_hz: float) -> bool:
    """Whether samples at ``rate_hz`` are close enough to those that a model file takes."""
    return abs(rate_hz / SAMPLE_RATE_HZ - 1) <= RATE_TOLERANCE


def check_windows(window_samples: int, rate_hz: float) -> None:
    """Raise :class:`InputError` unless a model file can hold a model trained on such windows at such a rate."""
    if not serves_rate(rate_hz):
        raise InputError(
            f"the training set holds samples at {rate_hz:g} Hz, but a model file takes {SAMPLE_RATE_HZ} Hz: record at that rate"
        )
    if window_samples != WINDOW_SAMPLES:
        raise InputError(
            f"the training set holds windows of {window_samples} samples, but a model file takes {WINDOW_SAMPLES}: "
            "export it with --window-ms 500"
        )


def _value(name: str, value: Any, types: tuple[type, ...]) -> Any:
    """``value``, if the field ``name`` can have it: of its type, finite, not absurd, fit to be printed."""
    fits = isinstance(value, types) and not isinstance(value, bool)
    if fits and isinstance(value, int | float):
        fits = 0 <= value <= _NUMBER_MAX
    if fits and isinstance(value, str):
        fits = value.isprintable()
    if not fits:
        raise InputError(f"the metadata has no valid '{name}'")
    return value
