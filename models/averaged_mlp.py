"""Several MLPs joined to one whose output is their mean.

They are fitted on the same rows, and differ in their random seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import block_diag
from sklearn.neural_network import MLPClassifier

_SEED_STEP: Final = 1000
"""Distance of the networks' seeds: more than the members of an ensemble, whose seeds follow each other."""


class AveragedMlp(MLPClassifier):  # type: ignore[misc]  # scikit-learn has no type hints
    """An MLP whose output before the sigmoid is the mean of that of ``networks`` MLPs, with seeds 1000 apart.

    It is fitted as the others are, and then has their layers side by side: a hidden layer of 64 becomes one of 192.
    """

    def __init__(
        self,
        *,
        networks: int = 1,
        hidden_layer_sizes: tuple[int, ...] = (64, 32),
        alpha: float = 1e-4,
        batch_size: int | str = "auto",
        learning_rate_init: float = 1e-3,
        max_iter: int = 200,
        n_iter_no_change: float = 10,
        early_stopping: bool = False,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate_init=learning_rate_init,
            max_iter=max_iter,
            n_iter_no_change=n_iter_no_change,
            early_stopping=early_stopping,
            random_state=random_state,
        )
        self.networks = networks

    def fit(self, rows: Any, labels: Any, sample_weight: Any = None) -> Self:
        """Fit every network on ``rows`` ``(n, k)`` and ``labels`` ``(n,)``, and join them."""
        parameters = self.get_params()
        count, seed = parameters.pop("networks"), parameters.pop("random_state")
        networks = [
            MLPClassifier(**parameters, random_state=seed + _SEED_STEP * number).fit(rows, labels, sample_weight)
            for number in range(count)
        ]
        # Everything that prediction needs, such as the classes; then the layers of all.
        for name, value in vars(networks[0]).items():
            if name.endswith("_") or name.startswith("_"):
                setattr(self, name, value)
        self.coefs_, self.intercepts_ = _joined_layers(
            [network.coefs_ for network in networks], [network.intercepts_ for network in networks]
        )
        self.n_iter_ = max(network.n_iter_ for network in networks)
        return self


def _joined_layers(
    weights: Sequence[Sequence[npt.NDArray[Any]]], biases: Sequence[Sequence[npt.NDArray[Any]]]
) -> tuple[list[npt.NDArray[Any]], list[npt.NDArray[Any]]]:
    """Return the layers of one network that computes the mean of those with ``weights`` and ``biases``."""
    first, *between, last = zip(*weights, strict=True)
    joined = [
        np.hstack(first),
        *(block_diag(*layer).astype(layer[0].dtype) for layer in between),
        np.vstack(last) / len(weights),
    ]
    *hidden, output = zip(*biases, strict=True)
    return joined, [*map(np.concatenate, hidden), np.mean(output, axis=0)]
