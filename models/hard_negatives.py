"""Choose the negatives that a model takes for positives, so that the next model is trained on them as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.separation import SeparatedDraw
from models.windows import Indices

FIRST_STEP: Final = 3
"""The first model is trained on all positives and on every third negative."""
APART_ROWS: Final = 3
"""Of neighbouring rows, which show nearly the same window, only one in three is added."""
CLEAR_ROWS: Final = 20
"""So many rows before a positive, about a second, are not added: a shot comes soon after, so they are hardly mistakes."""


def hard_rows(
    labels: npt.NDArray[np.integer[Any]],
    score: Callable[[Indices], npt.NDArray[np.floating[Any]]],
    rounds: int,
) -> Indices:
    """Return the indices, ascending, of the rows to train on.

    ``labels`` ``(n,)`` are those of all rows, in order of time. ``score`` takes indices of rows, trains a model on them
    and returns its output ``(n,)`` for all rows. In each of ``rounds`` rounds, the negatives with the highest output
    are added, as many as there are positives.
    """
    negative = np.flatnonzero(labels == 0)
    positives = labels.size - negative.size
    chosen = labels != 0
    chosen[negative[::FIRST_STEP]] = True
    eligible = np.ones(labels.size, dtype=np.bool_)
    for distance in range(1, min(CLEAR_ROWS, labels.size - 1) + 1):
        eligible[:-distance] &= labels[distance:] == 0
    separated = SeparatedDraw(np.arange(labels.size), APART_ROWS)
    for _ in range(rounds):
        output = score(np.flatnonzero(chosen))
        left = np.flatnonzero(eligible & ~chosen)
        highest_first = left[np.argsort(-output[left], kind="stable")]
        chosen[separated.choose(highest_first, positives)] = True
    return np.flatnonzero(chosen)
