"""The inference on the blaster, number by number in float32, as its description has it.

Other code is compared with it, so it is written plainly.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from stinger.mlmd import BlasterModel, LrModel

F = np.float32


def summary(window: npt.NDArray[np.int16]) -> list[F]:
    """Mean, standard deviation and largest absolute value of each channel of a window ``(50, 6)``."""
    columns = [[F(value) for value in window[:, channel]] for channel in range(6)]
    statistics = [_mean_std_max(column) for column in columns]
    return [statistics[channel][which] for which in range(3) for channel in range(6)]


def rich(window: npt.NDArray[np.int16]) -> list[F]:
    """``summary``, mean absolute values, and mean, deviation and maximum of both magnitudes."""
    features = summary(window)
    for channel in range(6):
        total = F(0)
        for value in window[:, channel]:
            total += abs(F(value))
        features.append(F(total / F(50)))
    for sensor in range(2):
        magnitudes = []
        for row in window[:, 3 * sensor : 3 * sensor + 3]:
            x, y, z = (F(value) for value in row)
            magnitudes.append(np.sqrt(F(x * x + y * y + z * z)))
        features += _mean_std_max(magnitudes)
    return features


def probability(model: BlasterModel, window: npt.NDArray[np.int16]) -> float:
    """The output of the blaster for a window ``(50, 6)``."""
    energy = sum(int(value) ** 2 for value in window[:, 3:].ravel())
    if math.sqrt(energy / 50) < 60:
        return 0.0
    features = summary(window) if isinstance(model, LrModel) else rich(window)
    values = [
        F((feature - mean) / max(scale, F(1e-10)))
        for feature, mean, scale in zip(features, model.mean, model.scale, strict=True)
    ]
    if isinstance(model, LrModel):
        return _sigmoid(_neuron(values, model.coef, model.intercept))
    for weights, biases in ((model.w1, model.b1), (model.w2, model.b2)):
        values = [max(F(0), _neuron(values, row, bias)) for row, bias in zip(weights, biases, strict=True)]
    return _sigmoid(_neuron(values, model.w3, model.b3))


def _neuron(values: list[F], weights: npt.NDArray[np.float32], bias: npt.NDArray[np.float32] | F) -> F:
    total = F(bias)
    for value, weight in zip(values, weights, strict=True):
        total = F(total + value * weight)
    return total


def _sigmoid(value: F) -> float:
    return float(F(1) / (F(1) + np.exp(-value, dtype=F))) if value > -80 else 0.0


def _mean_std_max(values: list[F]) -> list[F]:
    total = F(0)
    for value in values:
        total += value
    mean = F(total / F(50))
    squares = F(0)
    for value in values:
        squares += F(value * value)
    variance = F(F(squares / F(50)) - F(mean * mean))
    return [mean, np.sqrt(max(variance, F(0))), max(abs(value) for value in values)]
