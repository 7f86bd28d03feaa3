"""Faults of the sensor: the device itself sees the same wrong samples as the host."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hil.emulated.faults.fault import Fault
from stinger.errors import InputError
from stinger.sample import INT16_MAX, INT16_MIN, SAMPLE_RATE_HZ, SampleArray, axes
from stinger.wire.device import STREAM_MAX_HZ


@dataclass(slots=True, kw_only=True)
class SensorFault(Fault):
    """Changes the axes, not the trigger."""

    def take(self, sample: SampleArray, t_s: float) -> SampleArray:
        """What the sensor gives instead of ``sample`` ``(1,)``, which stays as it is."""
        if not self.active(t_s):
            self.spare(sample)
            return sample
        wrong = sample.copy()
        axes(wrong)[:] = self.strike(axes(sample))
        return wrong

    @abstractmethod
    def strike(self, values: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """What comes instead of ``values`` ``(1, 6)``."""

    def spare(self, sample: SampleArray) -> None:
        """See a good sample pass."""


@dataclass(slots=True, kw_only=True)
class Saturated(SensorFault):
    """The sensor is at the end of its range: each axis at the limit that its value leans to."""

    def strike(self, values: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """Only the smallest and largest of int16."""
        return np.where(values < 0, INT16_MIN, INT16_MAX).astype(np.int16)


@dataclass(slots=True, kw_only=True)
class Stuck(SensorFault):
    """The sensor repeats its last good values."""

    _last: npt.NDArray[np.int16] | None = field(init=False, default=None, repr=False)

    def strike(self, values: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """The values of the last good sample, or of the first one if there was none."""
        if self._last is None:
            self._last = values.copy()
        return self._last

    def spare(self, sample: SampleArray) -> None:
        """Remember the last good values."""
        self._last = axes(sample).copy()


@dataclass(slots=True, kw_only=True)
class Zero(SensorFault):
    """The sensor gives nothing but zeros."""

    def strike(self, values: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """Zeros."""
        return np.zeros_like(values)


@dataclass(slots=True, kw_only=True)
class Rate(Fault):
    """The stream comes at 'hz' samples a second, whatever the host asked for; values are held or left out."""

    hz: float = 1600.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("hz", 1, STREAM_MAX_HZ)
        if self.hz != int(self.hz):
            raise InputError(f"hz is {self.hz:g}: expected a whole number, such as {SAMPLE_RATE_HZ}")
