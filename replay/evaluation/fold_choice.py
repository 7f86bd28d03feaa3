"""How logs are cut so that each part of them is tested by a model that has not seen it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.folds import GUARD_MS, Fold, folds_by_session, folds_by_time
from models.sessions import Session

FOLDS: Final = 5
"""Parts by time, unless another number is asked for."""


def choose_folds(
    sessions: Sequence[Session], *, count: int | None = None, by: str | None = None
) -> tuple[str, tuple[Fold, ...]]:
    """By what ``sessions`` are cut, ``session`` or ``time``, and the folds.

    Unless told otherwise by session where two or more of them have shots, and into as many folds as there are sessions.
    Raises :class:`~stinger.errors.InputError` for more folds than there can be.
    """
    if by is None:
        by = "session" if sum(session.accepted_shots > 0 for session in sessions) > 1 else "time"
    if by == "session":
        return by, folds_by_session(sessions, count or max(2, min(FOLDS, len(sessions))))
    return by, folds_by_time(sessions, count or FOLDS)


def describe_folds(by: str, folds: Sequence[Fold], seed: int) -> str:
    """How a model was tested on ``folds``, in a line for a report."""
    guard = f" with a guard of {GUARD_MS / 1000:g} s" if by == "time" else ""
    return f"{len(folds)} folds by {by}{guard}, each by a model trained on the others, seed {seed}"
