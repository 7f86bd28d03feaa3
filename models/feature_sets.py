"""Names of the feature sets and of their features.

This module works without ONNX, so that a command line can be checked without it.
"""

from __future__ import annotations

from typing import Final

from stinger.errors import InputError
from stinger.mlmd import WINDOW_SAMPLES
from stinger.sample import CHANNELS, SAMPLE_RATE_HZ

FEATURE_SETS: Final = ("summary", "rich", "flatten", "motion", "kernels", "invariant", "invariant_rich", "raw")
"""The feature sets of :func:`models.features.compute_features`."""

MAX_WINDOW_SAMPLES: Final = 65_536
"""The longest window, 11 minutes at 100 Hz: sums of raw channels and of their squares stay exact in float64."""

MOTION_SIGNALS: Final = ("accel_mag", "gyro_mag", "accel_change", "gyro_change")
"""What ``motion`` describes: the magnitudes of both sensors, and the sizes of their changes from sample to sample, of
which that of the accelerometer is called jerk."""
MOTION_SPANS: Final = (10, 25, 50)
"""``motion`` describes the last 100, 250 and 500 ms: as many samples, the last of them a whole window."""
MOTION_SLICES: Final = 5
"""``motion`` has the largest value of each of five slices of a window, 100 ms each; of magnitudes, the smallest as
well.
"""

KERNELS: Final = 84
KERNEL_LENGTH: Final = 9
KERNEL_DILATIONS: Final = (1, 2, 4, 6)
"""``kernels`` has 84 kernels of nine samples, each applied to every, every second, fourth and sixth sample."""
KERNEL_THRESHOLDS: Final = 3
"""Of each output of a kernel, ``kernels`` has the shares above three thresholds, and the maximum."""
FITTED_SETS: Final = frozenset({"kernels"})
"""Feature sets that are fitted: their definition depends on the training rows."""
RAW: Final = "raw"
"""The window itself, for the model ``cnn``. ``flatten`` has the same numbers, for models that take features."""

_ANY_WINDOW: Final = frozenset({"summary", "rich", "flatten"})
_INVARIANT: Final = (
    *(f"jerk_{statistic}" for statistic in ("mean", "std", "max", "rms")),
    *(f"accel_mag_{statistic}" for statistic in ("std", "absmax", "range")),
    *(f"gyro_mag_{statistic}" for statistic in ("mean", "std", "max", "range", "mean_rise")),
    "jerk_mean_ratio",
    "gyro_mag_std_ratio",
    "jerk_energy_last_quarter",
    "jerk_mean_crossings",
)


def check_feature_set(name: str) -> None:
    """Raise :class:`InputError`, with the valid names, unless ``name`` is one of :data:`FEATURE_SETS`."""
    if name not in FEATURE_SETS:
        raise InputError(f"there is no feature set '{name}': expected {', '.join(FEATURE_SETS)}")


def feature_count(name: str, window_samples: int) -> int:
    """Return the number of features per window in feature set ``name``. Raises as :func:`feature_names` does.

    >>> [feature_count(name, 50) for name in FEATURE_SETS]
    [18, 30, 300, 94, 1344, 16, 22, 300]
    """
    return len(feature_names(name, window_samples))


def feature_names(name: str, window_samples: int) -> tuple[str, ...]:
    """Return a name for each feature of set ``name``, in order, such as ``gx_std``, ``accel_mag_max`` or ``ay[49]``.

    Raises :class:`InputError` for an unknown set, and for windows that are too short or too long for it.
    """
    check_feature_set(name)
    if name not in _ANY_WINDOW and window_samples != WINDOW_SAMPLES:
        raise InputError(f"{name} features need windows of {WINDOW_SAMPLES} samples, not {window_samples:,}")
    if window_samples > MAX_WINDOW_SAMPLES:
        raise InputError(f"a window has at most {MAX_WINDOW_SAMPLES:,} samples, not {window_samples:,}")
    if name == "kernels":
        pooled = [*(f"above{number}" for number in range(KERNEL_THRESHOLDS)), "max"]
        of_kernels = [
            f"kernel{kernel}_dilation{dilation}" for dilation in KERNEL_DILATIONS for kernel in range(KERNELS)
        ]
        return tuple(f"{kernel}_{value}" for kernel in of_kernels for value in pooled)
    if name in ("flatten", RAW):
        return tuple(f"{channel}[{sample}]" for sample in range(window_samples) for channel in CHANNELS)
    if name.startswith("invariant"):
        axes = (*(f"{channel}_std" for channel in CHANNELS[3:]), *(f"{channel}_jerk_std" for channel in CHANNELS[:3]))
        return _INVARIANT + axes if name == "invariant_rich" else _INVARIANT
    names = [f"{channel}_{statistic}" for statistic in ("mean", "std", "absmax") for channel in CHANNELS]
    if name != "summary":
        names += [f"{channel}_absmean" for channel in CHANNELS]
    if name == "rich":
        names += [f"{sensor}_mag_{statistic}" for sensor in ("accel", "gyro") for statistic in ("mean", "std", "max")]
    if name == "motion":
        spans = [f"{1000 * samples // SAMPLE_RATE_HZ}ms" for samples in MOTION_SPANS]
        statistics = [*(f"{statistic}_{span}" for statistic in ("mean", "rise") for span in spans), "newest"]
        statistics += [f"deviation_{span}" for span in spans]
        statistics += [f"{statistic}_slice{number}" for statistic in ("max", "min") for number in range(MOTION_SLICES)]
        names += [f"{signal}_{statistic}" for statistic in statistics for signal in MOTION_SIGNALS]
        # The changes are near 0 at some time in every slice.
        names = [name for name in names if "_change_min_" not in name]
    return tuple(names)
