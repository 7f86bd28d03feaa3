"""The metadata of a model file: one JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

from models.decision_parameters import DecisionParameters
from stinger.errors import InputError
from stinger.mlmd import WINDOW_SAMPLES
from stinger.rate import serves_rate
from stinger.sample import SAMPLE_RATE_HZ

META_KEY: Final = "stinger"
"""The key of the document in the ONNX metadata."""
SCHEMA_VERSION: Final = 2
"""The newest schema: 2 has a list of members. A single model is written as schema 1, which earlier versions read too."""
GATE_LSB: Final = 60.0
"""The blaster's motion gate: below this root mean square of the gyroscope's magnitude over a window, the output is 0."""
LEAD_MS: Final = 100.0
_NUMBER_MAX: Final = 1e9
_MEMBER: Final = ("estimator", "features")

_TYPES: Final[dict[str, tuple[type, ...]]] = {
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
    """The document.

    ``training`` are hashes and counts of the training data, ``metrics`` the results on the test rows. ``spec`` names
    the model, such as ``mlp:rich`` or ``mlp:motion+mlp:kernels``. It is a text, because a file may be from a version
    that knows more models and features than this one; the graph runs all the same.
    """

    spec: str
    software: str
    created: str
    """UTC, ISO 8601."""
    window_samples: int = WINDOW_SAMPLES
    rate_hz: float = SAMPLE_RATE_HZ
    lead_ms: float = LEAD_MS
    """The output at time t predicts a shot at t + lead_ms."""
    gate_lsb: float = GATE_LSB
    decision: DecisionParameters = field(default_factory=DecisionParameters)
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the document as one line of JSON."""
        values = {name: getattr(self, name) for name in _TYPES} | {"decision": self.decision.to_json()}
        members = [dict(zip(_MEMBER, member.split(":", 1), strict=True)) for member in self.spec.split("+")]
        named = {"schema": 1, **members[0]} if len(members) == 1 else {"schema": 2, "members": members}
        return json.dumps(named | values)


def parse_meta(text: str) -> ModelMeta:
    """Parse the document.

    Raises :class:`InputError` if it has another schema, lacks a field, or contains an invalid value.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("the metadata is not JSON") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, int) or schema < 1:
        raise InputError("the metadata has no schema version")
    if schema > SCHEMA_VERSION:
        raise InputError(
            f"the metadata has schema {schema}, this program supports {SCHEMA_VERSION}: upgrade stinger-ml"
        )
    values = {name: _value(name, document.get(name), types) for name, types in _TYPES.items()}
    if values["window_samples"] != WINDOW_SAMPLES:
        raise InputError(f"is for windows of {values['window_samples']} samples, expected {WINDOW_SAMPLES}")
    if not serves_rate(values["rate_hz"]):
        raise InputError(f"is for samples at {values['rate_hz']:g} Hz, expected {SAMPLE_RATE_HZ}")
    members = [document] if schema == 1 else _value("members", document.get("members"), (list,))
    spec = "+".join(map(_member, members))
    if not spec:
        raise InputError("the metadata has no valid 'members'")
    return ModelMeta(**values | {"spec": spec, "decision": DecisionParameters.from_json(values["decision"])})


def check_windows(window_samples: int, rate_hz: float) -> None:
    """Raise :class:`InputError` unless a model file can contain a model trained on such windows at such a rate."""
    if not serves_rate(rate_hz):
        raise InputError(
            f"the training set has samples at {rate_hz:g} Hz, but a model needs {SAMPLE_RATE_HZ} Hz: record at that rate"
        )
    if window_samples != WINDOW_SAMPLES:
        raise InputError(
            f"the training set has windows of {window_samples} samples, but a model needs {WINDOW_SAMPLES}: "
            "export it with --window-ms 500"
        )


def software() -> str:
    """Return name and version of this program for the metadata of model files."""
    return f"stinger-ml {version('stinger-ml')}"


def now_utc() -> str:
    """Return the current time for the metadata of model files."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _member(entry: Any) -> str:
    """Return ``estimator:features`` of one entry of the members."""
    if not isinstance(entry, dict):
        raise InputError("the metadata has no valid 'members'")
    return ":".join(_value(name, entry.get(name), (str,)) for name in _MEMBER)


def _value(name: str, value: Any, types: tuple[type, ...]) -> Any:
    """Return ``value`` if it is valid for the field ``name``: of the right type, finite, in range, printable."""
    fits = isinstance(value, types) and not isinstance(value, bool)
    if fits and isinstance(value, int | float):
        fits = 0 <= value <= _NUMBER_MAX
    if fits and isinstance(value, str):
        fits = value.isprintable()
    if not fits:
        raise InputError(f"the metadata has no valid '{name}'")
    return value
