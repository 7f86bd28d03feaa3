"""Scale the output of a model, so that the blaster's envelope, whose speed cannot be set, follows it better.

The blaster's menu sets only a threshold. How quickly wheels go on and off also depends on how steep the output is: from
1 the envelope takes 760 ms to fall below half of a threshold of 0.2, and 530 ms for one of 0.4. The order of outputs
stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from stinger.mlmd import BlasterModel, LrModel

_HIGHEST: Final = 1 - 2**-24
"""The highest probability below 1 in float32."""


@dataclass(frozen=True, slots=True)
class OutputScaling:
    """A probability p becomes the sigmoid of ``slope`` * (logit(p) - ``centre``).

    The default changes nothing. A probability of 0, which is what a closed motion gate gives, stays 0.
    """

    slope: float = 1.0
    centre: float = 0.0

    def apply(self, probability: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the scaled ``probability`` ``(n,)``; NaN stays NaN."""
        if self == OutputScaling():
            return probability
        with np.errstate(divide="ignore"):
            distance = logit(np.minimum(probability.astype(np.float64), _HIGHEST)) - self.centre
        scaled: npt.NDArray[np.float32] = expit(self.slope * distance).astype(np.float32)
        return scaled

    def apply_to_model(self, model: BlasterModel) -> BlasterModel:
        """Return the model for the blaster whose output is that of ``model``, scaled."""
        if isinstance(model, LrModel):
            return replace(model, coef=self._weights(model.coef), intercept=self._bias(model.intercept))
        return replace(model, w3=self._weights(model.w3), b3=self._bias(model.b3))

    def _weights(self, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return (weights * self.slope).astype(np.float32)

    def _bias(self, bias: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray((bias - self.centre) * self.slope, dtype=np.float32)
