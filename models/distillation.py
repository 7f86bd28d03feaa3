"""Fit a small model to the output of a stronger one, its teacher, instead of to labels of 0 and 1.

The blaster's MLP is small and gets 30 features. The probabilities of models that see more hold more than labels do: how
close to a shot a motion is. Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

LEAST_SHARE: Final = 0.002
"""A label with a smaller probability is left out: the teacher is certain of nearly all rows, which need only one
copy."""
STUDENT_ALPHA: Final = 0.01
"""The L2 penalty of an MLP that is fitted to a teacher: smooth targets leave less to overfit."""


def soft_rows(
    probability: npt.NDArray[np.floating[Any]], weights: npt.NDArray[np.floating[Any]] | None = None
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return rows whose weighted loss is that of fitting ``probability`` ``(n,)``, for estimators that take only labels.

    A row with the probability p becomes one labelled 1 with the weight p, and one labelled 0 with the weight 1 - p,
    times its own of ``weights`` ``(n,)``. Returns the indices of the rows ``(m,)``, their labels and their weights;
    copies follow each other.

    >>> soft_rows(np.array([0.25, 0.0]))
    (array([0, 0, 1]), array([1, 0, 0], dtype=uint8), array([0.25, 0.75, 1.  ], dtype=float32))
    """
    shares = np.stack([probability, 1 - probability], axis=1)
    rows, columns = np.nonzero(shares >= LEAST_SHARE)
    copies = shares[rows, columns].astype(np.float32)
    if weights is not None:
        copies *= weights[rows].astype(np.float32)
    return rows, (1 - columns).astype(np.uint8), copies
