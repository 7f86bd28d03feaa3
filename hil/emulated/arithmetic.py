"""The blaster's inference in its own arithmetic.

All is float32, from the first sum to the sigmoid, for many windows at a time. It deliberately does not use the features
and graphs of ``models``: the host's results are compared with these. Source: the inference of the Stinger firmware.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.mlmd import SCALE_FLOOR, BlasterModel, LrModel

GATE_LSB: Final = 60.0
"""If the root mean square of the gyroscope's magnitude over the window is below this, the output is 0."""

Float32 = npt.NDArray[np.float32]
Windows = npt.NDArray[np.int16]

_ONE: Final = np.float32(1)


class DeviceArithmetic:
    """Computes the blaster's probabilities with ``model``; implements the window model of :mod:`models.scorer`."""

    def __init__(self, model: BlasterModel) -> None:
        self._model = model
        self._scale = np.maximum(model.scale, np.float32(SCALE_FLOOR))

    def probability(self, windows: Windows) -> Float32:
        """Return the probabilities ``(m,) float32`` of windows ``(m, 50, 6) int16``."""
        values = windows.astype(np.float32)
        model = self._model
        features = _summary(values) if isinstance(model, LrModel) else _rich(values)
        layer = np.asarray((features - model.mean) / self._scale, dtype=np.float32)
        if isinstance(model, LrModel):
            output = layer @ model.coef + model.intercept
        else:
            for weights, biases in ((model.w1, model.b1), (model.w2, model.b2)):
                layer = np.maximum(layer @ weights.T + biases, np.float32(0))
            output = layer @ model.w3 + model.b3
        # Far below -80 the exponential overflows float32; at -80 the probability is 1e-35.
        probability: Float32 = _ONE / (_ONE + np.exp(-np.maximum(output, np.float32(-80))))
        probability[_at_rest(windows)] = 0
        return probability


def _at_rest(windows: Windows) -> npt.NDArray[np.bool_]:
    """Return whether the blaster is at rest in each window, ``(m,)``; in integers, so that rounding has no influence."""
    gyro = windows[:, :, 3:].astype(np.int64)
    closed: npt.NDArray[np.bool_] = (gyro * gyro).sum(axis=(1, 2)) < GATE_LSB**2 * windows.shape[1]
    return closed


def _summary(values: Float32) -> Float32:
    """Return mean, standard deviation and largest absolute value of each channel: ``(m, 18)``."""
    return np.concatenate([*_mean_std(values), np.abs(values).max(axis=1)], axis=1)


def _rich(values: Float32) -> Float32:
    """Return :func:`_summary`, mean absolute values, and mean, deviation and maximum of both magnitudes: ``(m, 30)``."""
    parts = [_summary(values), np.abs(values).mean(axis=1, dtype=np.float32)]
    for sensor in (values[:, :, :3], values[:, :, 3:]):
        magnitude = np.sqrt((sensor * sensor).sum(axis=2, keepdims=True, dtype=np.float32))
        parts += [*_mean_std(magnitude), magnitude.max(axis=1)]
    return np.concatenate(parts, axis=1)


def _mean_std(values: Float32) -> list[Float32]:
    """Return mean and population standard deviation of ``(m, 50, k)`` over the window: each ``(m, k)``.

    As the firmware computes them: the variance is the mean of the squares less the square of the mean, in float32.
    Where the mean is large, such as gravity's, that is exact to four digits only.
    """
    mean = values.mean(axis=1, dtype=np.float32)
    variance = (values * values).mean(axis=1, dtype=np.float32) - mean * mean
    return [mean, np.sqrt(np.maximum(variance, np.float32(0)))]
