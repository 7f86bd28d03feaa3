"""The journal of a device: when each of its recent samples was due and written, and the device's score for it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stinger.sample import SAMPLE_DTYPE, SampleArray

CAPACITY: Final = 16_384
"""How many samples a journal holds by default: 164 s at 100 Hz, one megabyte."""

ENTRY_DTYPE: Final = np.dtype(
    [
        ("number", "i8"),
        ("time_ms", "i8"),
        ("sample", SAMPLE_DTYPE),
        ("sequence", "i4"),
        ("due_ns", "i8"),
        ("written_ns", "i8"),
        ("intact", "?"),
        ("probability", "f4"),
        ("wheels", "?"),
    ]
)
"""One sample. ``number`` counts from the start of the device; ``time_ms`` is the device's clock, unwrapped.

``sequence`` is the number of the sample's (first) frame, -1 if there was none. ``due_ns`` and ``written_ns`` are on the
monotonic clock; ``written_ns`` is taken right before the bytes are passed to the system, and 0 if they never were.
``intact``: the bytes were written at least once unchanged by any fault. ``probability`` is NaN until the window is
full; ``wheels`` is the decision after the sample.
"""


class Written(NamedTuple):
    """When a packet was written, on the monotonic clock (0: not, or not yet), and whether no fault had changed it."""

    at_ns: int = 0
    intact: bool = False


class Journal:
    """A ring buffer of the last entries. Updates of samples that are no longer, or not yet, in it are ignored."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.count = 0
        """How many samples were taken since the start of the device, which is the number of the next one."""
        self._ring = np.zeros(capacity, dtype=ENTRY_DTYPE)

    def add(self, sample: SampleArray, time_ms: int, due_ns: int) -> int:
        """Add an entry for ``sample`` ``(1,)``, and return its number."""
        number = self.count
        self._ring[number % self._ring.shape[0]] = (
            *(number, time_ms, sample[0], -1, due_ns),
            *(0, False, np.nan, False),
        )
        self.count += 1
        return number

    def set_sent(self, number: int, sequence: int, written: Written) -> None:
        """Set sequence number (-1: no frame) and time of writing of the sample just added."""
        entry = self._ring[number % self._ring.shape[0]]
        entry["sequence"] = sequence
        entry["written_ns"] = written.at_ns
        entry["intact"] = written.intact

    def set_written(self, number: int, written: Written) -> None:
        """Record that a sample's bytes were written, delayed or again. The first time of writing stays."""
        if self._holds(number):
            entry = self._ring[number % self._ring.shape[0]]
            if entry["written_ns"] == 0:
                entry["written_ns"] = written.at_ns
            entry["intact"] |= written.intact

    def set_scores(self, first: int, probability: npt.NDArray[np.float32], wheels: npt.NDArray[np.bool_]) -> None:
        """Set the device's probabilities and decisions for the samples from number ``first`` on."""
        index = np.arange(first, first + probability.shape[0]) % self._ring.shape[0]
        self._ring["probability"][index] = probability
        self._ring["wheels"][index] = wheels

    def since(self, number: int) -> SampleArray:
        """Return a copy of the entries from ``number`` on that are still held, oldest first: ``(n,)`` of ENTRY_DTYPE."""
        first = max(number, self.count - self._ring.shape[0], 0)
        return self._ring[np.arange(first, self.count) % self._ring.shape[0]]

    def _holds(self, number: int) -> bool:
        return 0 <= number < self.count and number >= self.count - self._ring.shape[0]
