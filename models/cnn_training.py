"""Train the networks of the model ``cnn`` with PyTorch, which the extra ``deep`` installs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models.graph.cnn import CNN_CHANNELS, POOLED_SAMPLES, CnnParameters, join_networks
from stinger.mlmd import WINDOW_SAMPLES

FILTERS: Final = (24, 48, 48)
TAPS: Final = (5, 5, 3)
"""Outputs and length, in samples, of each convolution."""
DROPPED: Final = 0.5
"""Share of the last convolution's outputs that a step of training leaves out."""

EPOCHS: Final = 30
BATCH_ROWS: Final = 256
NEGATIVES_A_POSITIVE: Final = 6
"""Of negatives an epoch uses so many for each positive, other ones each time, but at least :data:`LEAST_NEGATIVES`."""
LEAST_NEGATIVES: Final = 2000
LEARNING_RATE: Final = 3e-3
"""The largest size of steps. It rises to this in the first 15 % of the steps and falls to nearly 0 until the last."""
WEIGHT_DECAY: Final = 1e-3

TURN_RAD: Final = 0.2
"""Each time a window is used, it is turned about each axis by a normally distributed angle of this standard deviation."""
SCALING: Final = 0.1
"""It is also multiplied by a random factor between 1 - this and 1 + this."""

Tensor = Any
"""A tensor of PyTorch, which may be missing where types are checked."""


def train_cnn(
    windows: npt.NDArray[np.int16],
    labels: npt.NDArray[Any],
    weights: npt.NDArray[Any] | None,
    *,
    seed: int,
    networks: int,
    least_steps: int,
) -> CnnParameters:
    """Train ``networks`` networks and return one whose logit is the mean of theirs.

    They are trained on ``windows`` ``(n, 50, 6)`` and ``labels`` ``(n,)`` of 0 and 1; ``weights`` ``(n,)`` are those of
    the rows.

    For each, there are :data:`EPOCHS`, or as many as make ``least_steps``. Uses one thread, and leaves PyTorch's own
    random generator and number of threads as they were.
    """
    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        scale = _scale(windows)
        fitted = []
        for _ in range(networks):
            network = new_network()
            correction = _fit(network, windows, labels, weights, scale=scale, least_steps=least_steps)
            fitted.append(parameters_of(network, scale, correction))
    return join_networks(fitted)


def new_network() -> Tensor:
    """Return an untrained network from channels ``(n, 8, 50)`` to logits ``(n, 1)``."""
    layers: list[Tensor] = []
    inputs, samples = CNN_CHANNELS, WINDOW_SAMPLES
    for filters, taps in zip(FILTERS, TAPS, strict=True):
        if layers:
            layers.append(nn.MaxPool1d(POOLED_SAMPLES))
            samples //= POOLED_SAMPLES
        layers += [nn.Conv1d(inputs, filters, taps, padding=taps // 2), nn.ReLU()]
        inputs = filters
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(DROPPED), nn.Linear(inputs * samples, 1))


def channels_of(sensors: Tensor) -> Tensor:
    """Return the network's channels ``(n, 8, w)`` of both sensors' axes ``(n, 2, 3, w)``."""
    return torch.cat((sensors, sensors.norm(dim=2, keepdim=True)), dim=2).flatten(1, 2)


def parameters_of(network: Tensor, scale: npt.NDArray[np.float64], correction: float) -> CnnParameters:
    """Return the weights of ``network``, which gets channels divided by ``scale``; ``correction`` is added to its logits."""
    *convolutions, dense = [
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())
        for layer in network
        if isinstance(layer, nn.Conv1d | nn.Linear)
    ]
    return CnnParameters(scale, tuple(convolutions), (dense[0].T, dense[1] + np.float32(correction)))


def _fit(
    network: Tensor,
    windows: npt.NDArray[np.int16],
    labels: npt.NDArray[Any],
    weights: npt.NDArray[Any] | None,
    *,
    scale: npt.NDArray[np.float64],
    least_steps: int,
) -> float:
    """Fit ``network``; return what to add to its logits, because it was shown only some of the negatives."""
    samples, wanted = torch.from_numpy(windows), torch.from_numpy(labels.astype(np.float32))
    weight = torch.ones(labels.size) if weights is None else torch.from_numpy(weights.astype(np.float32))
    divisor = torch.from_numpy(scale.astype(np.float32))[:, None, None]
    positives, negatives = torch.nonzero(wanted == 1)[:, 0], torch.nonzero(wanted == 0)[:, 0]
    shown = min(len(negatives), max(NEGATIVES_A_POSITIVE * len(positives), LEAST_NEGATIVES))
    steps_an_epoch = math.ceil((len(positives) + shown) / BATCH_ROWS)
    epochs = max(EPOCHS, math.ceil(least_steps / steps_an_epoch))
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=epochs * steps_an_epoch, pct_start=0.15
    )
    network.train()
    for _ in range(epochs):
        rows = torch.cat((positives, negatives[torch.randperm(len(negatives))[:shown]]))
        for batch in rows[torch.randperm(len(rows))].split(BATCH_ROWS):
            sensors = samples[batch].float().reshape(-1, WINDOW_SAMPLES, 2, 3).permute(0, 2, 3, 1) / divisor
            logits = network(channels_of(_vary(sensors)))[:, 0]
            loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted[batch], weight[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return math.log(shown / len(negatives))


def _vary(sensors: Tensor) -> Tensor:
    """Turn and scale windows ``(n, 2, 3, w)`` a little, each by a rotation and a factor of its own."""
    count = len(sensors)
    factors = 1 + SCALING * (2 * torch.rand(count, 1, 1, 1) - 1)
    return torch.matmul(_rotations(count)[:, None], sensors) * factors


def _rotations(count: int) -> Tensor:
    """Return random rotations ``(count, 3, 3)``, by Rodrigues' formula."""
    x, y, z = (TURN_RAD * torch.randn(3, count)).unbind()
    zero = torch.zeros(count)
    skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=1).reshape(count, 3, 3)
    return torch.linalg.matrix_exp(skew)


def _scale(windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """Return the standard deviation of the samples of each sensor, ``(2,)``, or 1 where they do not vary."""
    by_sensor = windows.reshape(-1, 2, 3)
    scale = np.array([by_sensor[:, sensor].std(dtype=np.float64) for sensor in range(2)])
    return np.where(scale > 0, scale, 1.0)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let PyTorch use one thread: with several, sums have varying last digits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
