"""What gives probabilities for windows: one model or several, under their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.model_file import load_model
from models.names import distinct, stems
from stinger.files import StrPath

Windows = npt.NDArray[np.int16]
"""``(n, window_samples, 6)`` raw LSB."""
Probabilities = npt.NDArray[np.float64]
"""``(n, models)``, each from 0 to 1."""


@dataclass(frozen=True, slots=True)
class WindowModels:
    """``probability`` gives ``(n, len(names))`` for ``n`` windows; n may be 0."""

    names: tuple[str, ...]
    probability: Callable[[Windows], Probabilities]


def joined(parts: Sequence[WindowModels]) -> WindowModels:
    """All models of ``parts``, in order."""

    def probability(windows: Windows) -> Probabilities:
        return np.concatenate([part.probability(windows) for part in parts], axis=1)

    return WindowModels(tuple(name for part in parts for name in part.names), probability)


def opened(paths: Sequence[StrPath]) -> WindowModels:
    """The models in model files, by their files' names (see :func:`~models.names.stems`).

    Raises :class:`~stinger.errors.FileError`.
    """
    models = [load_model(path) for path in paths]

    def probability(windows: Windows) -> Probabilities:
        return np.stack([model.probability(windows).astype(np.float64) for model in models], axis=1)

    return WindowModels(tuple(distinct(stems(paths))), probability)
