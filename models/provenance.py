"""Which recordings a model was trained on, and whether one of today's is among them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from models.model_meta import ModelMeta
from models.sessions import Session
from stinger.recording import Recording

BEGINNING_SAMPLES: Final = 100
"""A recording is known by its first second: a log that is pulled again later begins as it did, and is longer."""

_INPUTS: Final = "inputs_sha256"
_BEGINNINGS: Final = "beginnings"


def beginning_of(recording: Recording) -> str:
    """What tells ``recording`` from every other, in hex, whatever file holds it and however much of it."""
    return sha256(recording.samples[:BEGINNING_SAMPLES].tobytes()).hexdigest()


def trained_on(sessions: Sequence[Session], inputs_sha256: Sequence[str]) -> dict[str, Any]:
    """What a model's metadata says of the recordings it was trained on, for :func:`has_seen` to read later."""
    return {
        "sessions": [session.name for session in sessions],
        _INPUTS: list(dict.fromkeys(inputs_sha256)),
        _BEGINNINGS: [beginning_of(session.recording) for session in sessions],
    }


def names_its_data(meta: ModelMeta) -> bool:
    """Whether the model says what it was trained on; one that was imported from a blaster's file cannot."""
    return bool(_texts(meta, _INPUTS) | _texts(meta, _BEGINNINGS))


def has_seen(meta: ModelMeta, recording: Recording, file_sha256: str) -> bool:
    """Whether the model says that it was trained on ``recording``, or on the file that holds it."""
    return file_sha256 in _texts(meta, _INPUTS) or beginning_of(recording) in _texts(meta, _BEGINNINGS)


def _texts(meta: ModelMeta, name: str) -> frozenset[str]:
    values = meta.training.get(name, ())
    return frozenset(value for value in values if isinstance(value, str)) if isinstance(values, list) else frozenset()
