"""The model ``cnn``, small convolutional networks on the window itself, as a classifier of scikit-learn.

Only fitting needs PyTorch: the fitted network is a set of weights, and the nodes of model files compute its output.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from models.features import run_in_chunks
from models.graph.builder import GraphBuilder
from models.graph.cnn import add_cnn
from models.runtime import open_session
from stinger.errors import InputError
from stinger.mlmd import WINDOW_SAMPLES
from stinger.packages import install_command
from stinger.sample import CHANNELS

NETWORKS: Final = 3
"""Networks of a classifier, unless chosen otherwise: which weights they start with makes much of a difference."""
LEAST_STEPS: Final = 600
"""The least number of steps of training, unless chosen otherwise."""

Rows = npt.NDArray[np.int16]


class CnnClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """The probability of a shot for windows, flattened to ``(n, 300) int16``.

    ``parameters_`` are the fitted weights. They are those of ``networks`` networks, whose mean logit counts.
    ``least_steps`` is the least number of steps of training, for sets of few rows. The same seed, rows and versions
    give the same weights on the same kind of processor.
    """

    def __init__(self, random_state: int = 0, networks: int = NETWORKS, least_steps: int = LEAST_STEPS) -> None:
        self.random_state = random_state
        self.networks = networks
        self.least_steps = least_steps

    def fit(self, rows: Rows, labels: npt.NDArray[Any], sample_weight: npt.NDArray[Any] | None = None) -> Self:
        """Fit the network on ``rows``, ``labels`` ``(n,)`` of 0 and 1, and the weights of the rows, all 1 by default."""
        from models.cnn_training import train_cnn  # noqa: PLC0415 - PyTorch, an optional extra, takes seconds to import

        self.classes_ = np.array([0, 1])
        self.parameters_ = train_cnn(
            _windows(rows),
            labels,
            sample_weight,
            seed=self.random_state,
            networks=self.networks,
            least_steps=self.least_steps,
        )
        return self

    def predict_proba(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Return the probabilities of both classes, ``(n, 2)``."""
        graph = GraphBuilder()
        output = add_cnn(graph, self.parameters_)
        session = open_session(graph.finish({}, output=output, shape=("n", 1)))
        probability = run_in_chunks(session, _windows(rows), (1,))
        return np.hstack((1 - probability, probability))


def check_pytorch() -> None:
    """Raise :class:`InputError`, with the command that installs it, if PyTorch is missing."""
    if find_spec("torch") is None:
        raise InputError(
            "the model cnn needs PyTorch to be trained: run pip install torch --index-url "
            f"https://download.pytorch.org/whl/cpu (the build for processors), or {install_command('deep')}"
        )


def _windows(rows: Rows) -> Rows:
    return np.asarray(rows, dtype=np.int16).reshape(-1, WINDOW_SAMPLES, len(CHANNELS))
