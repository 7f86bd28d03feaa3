"""Features of windows: the numbers that an estimator gets. ``models/graph/features.py`` has the same as graph nodes.

The definitions are those of the blaster's firmware (docstring of :func:`compute_features`). Sums of raw channels
are integers, so means, deviations and maxima are exact up to the last rounding to float32, whatever the offset of a
channel is.
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from stinger.errors import InputError
from stinger.sample import CHANNELS

FEATURE_SETS: Final = ("summary", "rich", "flatten")
"""The feature sets of :func:`compute_features`."""

MAX_WINDOW_SAMPLES: Final = 65_536
"""The longest window, 11 minutes at 100 Hz: ``n * sum(x * x)`` of int16 values stays below 2**63."""

CHUNK_SAMPLES: Final = 1 << 17
"""Samples processed at a time: 1 MiB of int64 per channel, which limits memory for any number of windows."""

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_Values = TypeVar("_Values", _Ints, _Floats)


def compute_features(
    windows: npt.NDArray[np.int16], name: str, *, chunk_samples: int = CHUNK_SAMPLES
) -> npt.NDArray[np.float32]:
    """Compute the feature set ``name`` of ``windows`` ``(n, w, 6) int16`` in raw LSB, as ``(n, k) float32``; n may be 0.

    ``summary`` (k = 18): mean of each channel, then its standard deviation, then its largest absolute value. ``rich``
    (30): ``summary``, then the mean absolute value of each channel, then mean, standard deviation and maximum of the
    accelerometer's magnitude, then of the gyroscope's. ``flatten`` (6 w): the samples one after another. Standard
    deviations are population ones. The order is that of :func:`feature_names`.

    Windows may overlap in memory, as in ``sliding_window_view``: per-sample values are then computed once per sample,
    and no array as large as all windows is allocated except the result. ``chunk_samples`` are processed at a time.

    Raises :class:`InputError` for a name not in :data:`FEATURE_SETS` or a window longer than
    :data:`MAX_WINDOW_SAMPLES`, ``ValueError`` for an array of another shape or type.
    """
    check_feature_set(name)
    if windows.ndim != 3 or windows.shape[2] != len(CHANNELS) or windows.shape[1] < 1:  # noqa: PLR2004
        raise ValueError(f"windows are (n, w, {len(CHANNELS)}) with w >= 1, not {windows.shape}")
    if windows.dtype != np.int16:
        raise ValueError(f"windows are int16, not {windows.dtype}")
    count, width = windows.shape[:2]
    if width > MAX_WINDOW_SAMPLES:
        raise InputError(f"a window has at most {MAX_WINDOW_SAMPLES:,} samples, not {width:,}")
    features = np.empty((count, feature_count(name, width)), dtype=np.float32)
    if name == "flatten":
        features.reshape(count, width, len(CHANNELS))[:] = windows
        return features
    chunk = max(1, chunk_samples // width)
    for start in range(0, count, chunk):
        _summarise(windows[start : start + chunk], features[start : start + chunk], rich=name == "rich")
    return features


def feature_count(name: str, window_samples: int) -> int:
    """Return the number of features per window in feature set ``name``. Raises :class:`InputError` for an unknown name.

    >>> feature_count("summary", 50), feature_count("rich", 50), feature_count("flatten", 50)
    (18, 30, 300)
    """
    check_feature_set(name)
    return {"summary": 18, "rich": 30, "flatten": window_samples * len(CHANNELS)}[name]


def feature_names(name: str, window_samples: int) -> tuple[str, ...]:
    """Return a name for each column of :func:`compute_features`, such as ``gx_std``, ``accel_mag_max`` or ``ay[49]``."""
    check_feature_set(name)
    if name == "flatten":
        return tuple(f"{channel}[{sample}]" for sample in range(window_samples) for channel in CHANNELS)
    names = [f"{channel}_{statistic}" for statistic in ("mean", "std", "absmax") for channel in CHANNELS]
    if name == "rich":
        names += [f"{channel}_absmean" for channel in CHANNELS]
        names += [f"{sensor}_mag_{statistic}" for sensor in ("accel", "gyro") for statistic in ("mean", "std", "max")]
    return tuple(names)


def check_feature_set(name: str) -> None:
    """Raise :class:`InputError`, with the valid names, unless ``name`` is one of :data:`FEATURE_SETS`."""
    if name not in FEATURE_SETS:
        raise InputError(f"there is no feature set '{name}': expected {', '.join(FEATURE_SETS)}")


def _summarise(windows: npt.NDArray[np.int16], out: npt.NDArray[np.float32], *, rich: bool) -> None:
    """Fill ``out`` ``(m, 18 or 30)`` from ``windows`` ``(m, w, 6)``."""
    count, width = windows.shape[:2]
    samples, step = _as_samples(windows)
    values = samples.astype(np.int64)
    absolute = np.abs(values)
    starts = np.arange(count) * step
    total = _window_sums(values, starts, width)
    squares = _window_sums(values * values, starts, width)
    out[:, 0:6] = total / width
    out[:, 6:12] = np.sqrt((width * squares - total * total).astype(np.float64)) / width
    out[:, 12:18] = _window_maxima(absolute, starts, width)
    if not rich:
        return
    out[:, 18:24] = _window_sums(absolute, starts, width) / width
    for sensor in range(2):
        axes = values[:, 3 * sensor : 3 * sensor + 3]
        magnitude: _Floats = np.sqrt(np.einsum("sc,sc->s", axes, axes).astype(np.float64))
        column = 24 + 3 * sensor
        view = np.lib.stride_tricks.sliding_window_view(magnitude, width)[::step]
        mean = view.mean(axis=1)
        deviation = view - mean[:, None]
        out[:, column] = mean
        out[:, column + 1] = np.sqrt(np.einsum("ms,ms->m", deviation, deviation) / width)
        out[:, column + 2] = _window_maxima(magnitude, starts, width)


def _as_samples(windows: npt.NDArray[np.int16]) -> tuple[npt.NDArray[np.int16], int]:
    """Return samples ``(s, 6)`` and a step: window i is ``samples[i * step :][:w]``. A view where windows overlap."""
    count, width = windows.shape[:2]
    between_windows, between_samples, _ = windows.strides
    step, rest = divmod(between_windows, between_samples) if between_samples > 0 else (0, 1)
    if count > 1 and rest == 0 and 1 <= step <= width:
        # Every address of the view below belongs to a window: sample j is in window j // step or in the last one.
        shape = ((count - 1) * step + width, windows.shape[2])
        return np.lib.stride_tricks.as_strided(windows, shape, windows.strides[1:], writeable=False), step
    return windows.reshape(count * width, windows.shape[2]), width


def _window_sums(values: _Ints, starts: npt.NDArray[np.intp], width: int) -> _Ints:
    """Return the exact sums ``(m, c)`` over the windows that begin at ``starts`` ``(m,)`` in ``values`` ``(s, c)``."""
    running = np.zeros((values.shape[0] + 1, values.shape[1]), dtype=np.int64)
    np.cumsum(values, axis=0, out=running[1:])
    return running[starts + width] - running[starts]


def _window_maxima(values: _Values, starts: npt.NDArray[np.intp], width: int) -> _Values:
    """Return the maxima over the windows that begin at ``starts``, along the first axis, using spans that double."""
    span = 1
    while span * 2 <= width:
        values = np.maximum(values[:-span], values[span:])
        span *= 2
    return np.maximum(values[starts], values[starts + (width - span)])
