"""Every feature of one window by its definition, written plainly in double precision. The graph is compared with it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.graph.kernels import COMPRESSED_FROM, WEIGHTS, KernelParameters
from stinger.sample import CHANNELS

Window = npt.NDArray[np.int16]
Values = npt.NDArray[np.float64]

DILATIONS = (1, 2, 4, 6)


def features_of(name: str, window: Window) -> dict[str, float]:
    """Return the features of set ``name`` and others, by name."""
    if name.startswith("invariant"):
        return _invariant(window)
    return _statistics_of_channels(window) | (_motion(window) if name == "motion" else {})


def kernel_features(window: Window, parameters: KernelParameters) -> Values:
    """Return the features of ``kernels`` in order, sample by sample and tap by tap."""
    channels = _kernel_channels(window)
    features = []
    for dilation, of_kernels, limits in zip(DILATIONS, parameters.factors, parameters.thresholds, strict=True):
        padded = np.pad(channels, ((4 * dilation, 4 * dilation), (0, 0)))
        for weights, factors, thresholds in zip(WEIGHTS, of_kernels, limits, strict=True):
            taps = [weights[i] * padded[i * dilation : i * dilation + len(window)] @ factors for i in range(9)]
            output = np.sum(taps, axis=0)
            features += [np.mean(output > threshold) for threshold in thresholds] + [output.max()]
    return np.array(features)


def _statistics_of_channels(window: Window) -> dict[str, float]:
    """Return mean, deviation and maximum of channels and magnitudes, in Python's own whole numbers and floats."""
    channels = [[int(value) for value in window[:, axis]] for axis in range(6)]
    result: dict[str, float] = {}
    for name, values in zip(CHANNELS, channels, strict=True):
        result |= _statistics(name, [float(value) for value in values])
        result[f"{name}_absmax"] = float(max(abs(value) for value in values))
        result[f"{name}_absmean"] = sum(abs(value) for value in values) / len(values)
    for sensor, axes in (("accel", channels[:3]), ("gyro", channels[3:])):
        magnitude = [math.sqrt(x * x + y * y + z * z) for x, y, z in zip(*axes, strict=True)]
        result |= _statistics(f"{sensor}_mag", magnitude)
    return result


def _statistics(name: str, values: list[float]) -> dict[str, float]:
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
    return {f"{name}_mean": mean, f"{name}_std": math.sqrt(variance), f"{name}_max": max(values)}


def _sizes(window: Window) -> dict[str, Values]:
    """Return both magnitudes, and the sizes of the changes of both sensors, 0 for the first sample."""
    values = window.astype(np.float64)
    change = np.diff(values, axis=0, prepend=values[:1])
    return {
        "accel_mag": np.linalg.norm(values[:, :3], axis=1),
        "gyro_mag": np.linalg.norm(values[:, 3:], axis=1),
        "accel_change": np.linalg.norm(change[:, :3], axis=1),
        "gyro_change": np.linalg.norm(change[:, 3:], axis=1),
    }


def _motion(window: Window) -> dict[str, float]:
    result = {}
    for name, values in _sizes(window).items():
        for span in (10, 25, 50):
            last = values[-span:]
            result[f"{name}_mean_{10 * span}ms"] = last.mean()
            result[f"{name}_rise_{10 * span}ms"] = values[-1] - values[-span]
            result[f"{name}_deviation_{10 * span}ms"] = math.sqrt(((last - values.mean()) ** 2).mean())
        result[f"{name}_newest"] = values[-1]
        for number in range(5):
            result[f"{name}_max_slice{number}"] = values[10 * number : 10 * number + 10].max()
            result[f"{name}_min_slice{number}"] = values[10 * number : 10 * number + 10].min()
    return result


def _invariant(window: Window) -> dict[str, float]:
    values = window.astype(np.float64)
    sizes = _sizes(window)
    accel, gyro, jerk = sizes["accel_mag"], sizes["gyro_mag"], sizes["accel_change"][1:]
    above = jerk >= jerk.mean() - 1e-6
    result = {
        "jerk_mean": jerk.mean(),
        "jerk_std": jerk.std(),
        "jerk_max": jerk.max(),
        "jerk_rms": math.sqrt((jerk**2).mean()),
        "accel_mag_std": accel.std(),
        "accel_mag_absmax": np.abs(accel - accel.mean()).max(),
        "accel_mag_range": np.ptp(accel),
        "gyro_mag_mean": gyro.mean(),
        "gyro_mag_std": gyro.std(),
        "gyro_mag_max": gyro.max(),
        "gyro_mag_range": np.ptp(gyro),
        "gyro_mag_mean_rise": gyro[25:].mean() - gyro[:25].mean(),
        "jerk_mean_ratio": _ratio(jerk[24:].mean(), jerk[:24].mean(), 1.0),
        "gyro_mag_std_ratio": _ratio(gyro[25:].std(), gyro[:25].std(), 1.0),
        "jerk_energy_last_quarter": _ratio((jerk[-12:] ** 2).sum(), (jerk**2).sum(), 0.25),
        "jerk_mean_crossings": np.count_nonzero(above[1:] != above[:-1]) / 48,
    }
    for axis, name in enumerate(CHANNELS[:3]):
        result[f"{name}_jerk_std"] = np.diff(values[:, axis]).std()
    for axis, name in enumerate(CHANNELS[3:], start=3):
        result[f"{name}_std"] = values[:, axis].std()
    return result


def _ratio(value: float, by: float, otherwise: float) -> float:
    return value / by if by > 1e-6 else otherwise


def _kernel_channels(window: Window) -> Values:
    values = window.astype(np.float64)
    change = np.diff(values, axis=0, prepend=values[:1])
    channels = np.arcsinh(np.column_stack([values, change, *_sizes(window).values()]) / COMPRESSED_FROM)
    return np.asarray(channels - channels.mean(axis=0))
