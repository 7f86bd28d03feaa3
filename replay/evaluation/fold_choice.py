"""Choose folds, so that each part of the logs is tested with a model that was not trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.folds import GUARD_MS, Fold, folds_by_session, folds_by_time
from models.sessions import Session
from models.stream_rows import has_positives

FOLDS: Final = 5
"""Default number of folds."""


def choose_folds(
    sessions: Sequence[Session], *, count: int | None = None, by: str | None = None
) -> tuple[str, tuple[Fold, ...]]:
    """Divide ``sessions`` into folds by ``session`` or by ``time``; return the one that was used, and the folds.

    By default, divide by session if a shot can be learnt from two or more, into one fold per session but at most
    :data:`FOLDS`; otherwise by time into :data:`FOLDS`. Raises :class:`~stinger.errors.InputError` for more folds than
    possible.
    """
    if by is None:
        by = "session" if sum(map(has_positives, sessions)) > 1 else "time"
    if by == "session":
        return by, folds_by_session(sessions, count or max(2, min(FOLDS, len(sessions))))
    return by, folds_by_time(sessions, count or FOLDS)


def describe_folds(by: str, folds: Sequence[Fold], seed: int) -> str:
    """Return a line for a report on how a model was tested with ``folds``."""
    guard = f" with a guard of {GUARD_MS / 1000:g} s" if by == "time" else ""
    return f"{len(folds)} folds by {by}{guard}, each by a model trained on the others, seed {seed}"
