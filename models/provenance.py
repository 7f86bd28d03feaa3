"""Store in a model's metadata which recordings it was trained on.

With this, :func:`has_seen` recognises a recording that is one of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.dataset import Dataset
from models.fingerprint import Fingerprint, fingerprint_of, fingerprint_of_windows, parse_fingerprint
from models.model_meta import ModelMeta
from models.repeats import readings_of, readings_per_sample, sampled_time_text
from models.sessions import Session
from stinger.recording import Recording

BEGINNING_SAMPLES: Final = 100
"""A recording is identified by its first second: a log fetched again later has the same start and is longer."""

_NEARLY_ALL: Final = 0.9

_INPUTS: Final = "inputs_sha256"
_BEGINNINGS: Final = "beginnings"
CONTENT: Final = "content"
"""The key of the fingerprint."""


def beginning_of(recording: Recording) -> str:
    """Return a hash in hex that identifies ``recording``, independent of its file and of its length."""
    return sha256(recording.samples[:BEGINNING_SAMPLES].tobytes()).hexdigest()


def trained_on(sessions: Sequence[Session], inputs_sha256: Sequence[str]) -> dict[str, Any]:
    """Return the metadata of a model that is trained on ``sessions``; :func:`has_seen` reads it later."""
    return {
        "sessions": [session.name for session in sessions],
        _INPUTS: list(dict.fromkeys(inputs_sha256)),
        _BEGINNINGS: [beginning_of(session.recording) for session in sessions],
        CONTENT: fingerprint_of([session.recording.axes for session in sessions]).to_json(),
    }


def trained_on_rows(dataset: Dataset, rows: npt.NDArray[np.intp]) -> dict[str, Any]:
    """Return the entry in the metadata of a model trained on ``rows`` of ``dataset`` that identifies their content."""
    return {CONTENT: fingerprint_of_rows(dataset, rows).to_json()}


def fingerprint_of_rows(dataset: Dataset, rows: npt.NDArray[np.intp]) -> Fingerprint:
    """Return the fingerprint of ``rows`` of ``dataset``."""
    sessions, number = np.unique(dataset.rows.session[rows], return_inverse=True)
    start_ms, end_ms = dataset.rows.window_start_ms[rows], dataset.rows.window_end_ms[rows]
    span_ms = sum(
        int(np.ptp(np.append(start_ms[number == one], end_ms[number == one]))) for one in range(sessions.size)
    )
    in_time = rows[np.lexsort((start_ms, number))]
    stretch = round(span_ms * dataset.rate_hz / 1000 / max(1, rows.size))
    return fingerprint_of_windows(dataset.windows[in_time], stretch)


def names_its_data(meta: ModelMeta) -> bool:
    """Return whether the metadata names the training data; for a model imported from a blaster's file it does not."""
    fingerprint = fingerprint_in(meta)
    return bool(_texts(meta, _INPUTS) | _texts(meta, _BEGINNINGS)) or (
        fingerprint is not None and fingerprint.hashes.size > 0
    )


def fingerprint_in(meta: ModelMeta) -> Fingerprint | None:
    """Return the fingerprint of the training data.

    ``None`` for a model of an older version or from a blaster's file.
    """
    return parse_fingerprint(meta.training.get(CONTENT))


def has_seen(meta: ModelMeta, session: Session, file_sha256: str) -> bool:
    """Return whether, by its metadata, the model was trained on ``session``.

    That is so if it was trained on samples of the session, or on the file with this hash. Samples are recognised by
    their content, whatever the name, clock and format of their file.
    """
    if file_sha256 in _texts(meta, _INPUTS) or beginning_of(session.recording) in _texts(meta, _BEGINNINGS):
        return True
    fingerprint = fingerprint_in(meta)
    if fingerprint is None:
        return False
    return bool(fingerprint.seen(readings_of(session), per_sample=readings_per_sample(session)).any())


def part_seen(meta: ModelMeta, sessions: Sequence[Session], file_sha256: str) -> str | None:
    """Return how much of ``sessions``, those of one file, the model was trained on.

    It is a phrase to come before the name of the file, which is empty for nearly all of it; ``None`` for nothing.
    """
    fingerprint = fingerprint_in(meta)
    if fingerprint is not None:
        return part_within(fingerprint, sessions)
    is_named = file_sha256 in json.dumps(dict(meta.training))
    seen = [session for session in sessions if is_named or has_seen(meta, session, file_sha256)]
    return _part(sum(len(session.recording) for session in seen), sessions)


def part_within(fingerprint: Fingerprint, sessions: Sequence[Session]) -> str | None:
    """Return how much of ``sessions`` is in the data with this ``fingerprint``, as :func:`part_seen` does."""
    seen = 0
    for session in sessions:
        per_sample = readings_per_sample(session)
        seen += int(fingerprint.seen(readings_of(session), per_sample=per_sample).sum()) // per_sample
    return _part(seen, sessions)


def _part(seen: int, sessions: Sequence[Session]) -> str | None:
    count = sum(len(session.recording) for session in sessions)
    if not seen:
        return None
    return (
        "" if seen >= _NEARLY_ALL * count else f"about {sampled_time_text(seen)} of the {sampled_time_text(count)} of "
    )


def _texts(meta: ModelMeta, name: str) -> frozenset[str]:
    values = meta.training.get(name, ())
    return frozenset(value for value in values if isinstance(value, str)) if isinstance(values, list) else frozenset()
