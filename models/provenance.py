"""Store in a model's metadata which recordings it was trained on, and find out whether a recording is one of them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from models.model_meta import ModelMeta
from models.sessions import Session
from stinger.recording import Recording

BEGINNING_SAMPLES: Final = 100
"""A recording is identified by its first second: a log fetched again later has the same start and is longer."""

_INPUTS: Final = "inputs_sha256"
_BEGINNINGS: Final = "beginnings"


def beginning_of(recording: Recording) -> str:
    """Return a hash in hex that identifies ``recording``, independent of its file and of its length."""
    return sha256(recording.samples[:BEGINNING_SAMPLES].tobytes()).hexdigest()


def trained_on(sessions: Sequence[Session], inputs_sha256: Sequence[str]) -> dict[str, Any]:
    """Return the metadata of a model that is trained on ``sessions``; :func:`has_seen` reads it later."""
    return {
        "sessions": [session.name for session in sessions],
        _INPUTS: list(dict.fromkeys(inputs_sha256)),
        _BEGINNINGS: [beginning_of(session.recording) for session in sessions],
    }


def names_its_data(meta: ModelMeta) -> bool:
    """Return whether the metadata names the training data; for a model imported from a blaster's file it does not."""
    return bool(_texts(meta, _INPUTS) | _texts(meta, _BEGINNINGS))


def has_seen(meta: ModelMeta, recording: Recording, file_sha256: str) -> bool:
    """Return whether, by its metadata, the model was trained on ``recording`` or on the file with ``file_sha256``."""
    return file_sha256 in _texts(meta, _INPUTS) or beginning_of(recording) in _texts(meta, _BEGINNINGS)


def _texts(meta: ModelMeta, name: str) -> frozenset[str]:
    values = meta.training.get(name, ())
    return frozenset(value for value in values if isinstance(value, str)) if isinstance(values, list) else frozenset()
