"""The network of the model ``cnn`` for one window, written plainly in double precision. The measure for the graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.graph.cnn import CnnParameters


def cnn_logit(window: npt.NDArray[np.int16], parameters: CnnParameters) -> float:
    """Return the output before the sigmoid for ``window`` ``(50, 6)``, filter by filter and tap by tap."""
    accel, gyro = window[:, :3].astype(float), window[:, 3:].astype(float)
    columns = [
        *(accel[:, axis] / parameters.scale[0] for axis in range(3)),
        np.sqrt((accel**2).sum(axis=1)) / parameters.scale[0],
        *(gyro[:, axis] / parameters.scale[1] for axis in range(3)),
        np.sqrt((gyro**2).sum(axis=1)) / parameters.scale[1],
    ]
    for layer, (weights, biases) in enumerate(parameters.convolutions):
        if layer:
            columns = [[max(column[2 * i : 2 * i + 2]) for i in range(len(column) // 2)] for column in columns]
        reach = weights.shape[2] // 2
        padded = [np.pad(np.asarray(column, dtype=float), reach) for column in columns]
        samples = len(columns[0])
        columns = []
        inputs = weights.shape[1]
        filters_a_group = len(weights) * inputs // len(padded)
        for number, (of_filter, bias) in enumerate(zip(weights, biases, strict=True)):
            total = np.full(samples, float(bias))
            first = number // filters_a_group * inputs
            for taps, column in zip(of_filter, padded[first : first + inputs], strict=True):
                for tap, weight in enumerate(taps):
                    total += weight * column[tap : tap + samples]
            columns.append(np.maximum(total, 0))
    weights, biases = parameters.dense
    return float(np.concatenate(columns) @ weights[:, 0].astype(float) + biases[0])
