"""A sample on its way from an emulated device's sensor to its link, where it is sent as one row or several."""

from __future__ import annotations

from dataclasses import dataclass

from hil.emulated.links import Link
from stinger.sample import CLOCK_WRAP_MS, SampleArray


@dataclass(frozen=True, slots=True)
class TakenSample:
    """A sample ``(1,)`` with the faults of sensor and clock applied.

    ``clock_ms`` is its time by the device's clock, ``due_ns`` when it is due on the host's monotonic clock, and ``t_s``
    its time in the device's schedule, by which faults begin and end.
    """

    sample: SampleArray
    clock_ms: int
    due_ns: int
    t_s: float


@dataclass(frozen=True, slots=True)
class EncodedSample:
    """The first row of a sample, encoded, and how many rows the sample gets."""

    link: Link
    next_sequence: int
    data: bytes
    sequence: int
    rows: int
    rate_hz: int

    def is_current(self, link: Link) -> bool:
        """Return whether this is still what ``link`` sends next."""
        return link is self.link and link.stream_hz > 0 and link.sequence == self.next_sequence


def with_timestamp(clock_ms: int, sample: SampleArray) -> SampleArray:
    """Return ``sample`` with the timestamp ``clock_ms``, copied if it has another one."""
    if clock_ms % CLOCK_WRAP_MS == int(sample["timestamp_ms"][0]):
        return sample
    sample = sample.copy()
    sample["timestamp_ms"] = clock_ms % CLOCK_WRAP_MS
    return sample
