"""Faults of the sensor: the device's own model gets the same wrong samples as the host."""

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
    """Changes the axes, but not the trigger."""

    def apply(self, sample: SampleArray, t_s: float) -> SampleArray:
        """Return what the sensor measures instead of ``sample`` ``(1,)``, which is not modified."""
        if not self.active(t_s):
            self.pass_through(sample)
            return sample
        wrong = sample.copy()
        axes(wrong)[:] = self.hit(axes(sample))
        return wrong

    @abstractmethod
    def hit(self, values: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """Return what the sensor measures instead of ``values`` ``(1, 6)``."""

    def pass_through(self, sample: SampleArray) -> None:
        """Process a sample that the fault does not change."""


@dataclass(slots=True, kw_only=True)
class Saturated(SensorFault):
    """The sensor is saturated: each axis is at its lower or upper limit, by the sign of its value."""

    def hit(self, values: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """Return the smallest and largest values of int16."""
        return np.where(values < 0, INT16_MIN, INT16_MAX).astype(np.int16)


@dataclass(slots=True, kw_only=True)
class Stuck(SensorFault):
    """The sensor repeats its last good values."""

    _last: npt.NDArray[np.int16] | None = field(init=False, default=None, repr=False)

    def hit(self, values: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """Return the values of the last good sample, or of the first one if there was none."""
        if self._last is None:
            self._last = values.copy()
        return self._last

    def pass_through(self, sample: SampleArray) -> None:
        """Remember the last good values."""
        self._last = axes(sample).copy()


@dataclass(slots=True, kw_only=True)
class Zero(SensorFault):
    """The sensor measures only zeros."""

    def hit(self, values: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """Return zeros."""
        return np.zeros_like(values)


@dataclass(slots=True, kw_only=True)
class Rate(Fault):
    """The stream has 'hz' samples per second, whatever the host requested; samples are repeated or skipped."""

    hz: float = 1600.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("hz", 1, STREAM_MAX_HZ)
        if self.hz != int(self.hz):
            raise InputError(f"hz is {self.hz:g}: expected a whole number, such as {SAMPLE_RATE_HZ}")
