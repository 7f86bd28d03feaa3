"""What a device did with its most recent samples: when each was due and written, and what the device made of it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stinger.sample import SAMPLE_DTYPE, SampleArray

REMEMBERED: Final = 16_384
"""Samples that a journal holds unless told: 164 s at 100 Hz, one megabyte."""

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
"""One sample. ``number`` counts from the start of the device, ``time_ms`` is the device's clock without its wraps.

``sequence`` is the number in the sample's (first) frame, -1 if none was made; ``due_ns`` and ``written_ns`` are on the
monotonic clock, ``written_ns`` taken right before the bytes are given to the system, 0 if they never were. ``intact``
says whether they were once given as they should be, by any fault untouched.
``probability`` is NaN until the window has been filled; ``wheels`` is the decision after the sample.
"""


class Written(NamedTuple):
    """``at_ns`` on the monotonic clock, 0 for not at all or not yet; ``intact`` if no fault had touched it."""

    at_ns: int = 0
    intact: bool = False


class Journal:
    """A ring of the last entries. Numbers that are no longer, or not yet, in it are ignored."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self.count = 0
        """Samples taken since the start of the device: the number of the next one."""
        self._ring = np.zeros(remembered, dtype=ENTRY_DTYPE)

    def add(self, sample: SampleArray, time_ms: int, due_ns: int) -> int:
        """Enter ``sample`` ``(1,)``; return its number."""
        number = self.count
        self._ring[number % self._ring.shape[0]] = (
            *(number, time_ms, sample[0], -1, due_ns),
            *(0, False, np.nan, False),
        )
        self.count += 1
        return number

    def sent(self, number: int, sequence: int, written: Written) -> None:
        """The sample just added has this sequence number, -1 for none, and was written like that, perhaps not yet."""
        entry = self._ring[number % self._ring.shape[0]]
        entry["sequence"] = sequence
        entry["written_ns"] = written.at_ns
        entry["intact"] = written.intact

    def written(self, number: int, written: Written) -> None:
        """A sample's bytes went to the system, late or once more. Of the times only the first counts."""
        if self._holds(number):
            entry = self._ring[number % self._ring.shape[0]]
            if entry["written_ns"] == 0:
                entry["written_ns"] = written.at_ns
            entry["intact"] |= written.intact

    def scored(self, first: int, probability: npt.NDArray[np.float32], wheels: npt.NDArray[np.bool_]) -> None:
        """Enter what the device made of the samples from number ``first`` on."""
        index = np.arange(first, first + probability.shape[0]) % self._ring.shape[0]
        self._ring["probability"][index] = probability
        self._ring["wheels"][index] = wheels

    def since(self, number: int) -> SampleArray:
        """A copy of what is still known from ``number`` on, oldest first: ``(n,)`` of ENTRY_DTYPE."""
        first = max(number, self.count - self._ring.shape[0], 0)
        return self._ring[np.arange(first, self.count) % self._ring.shape[0]]

    def _holds(self, number: int) -> bool:
        return 0 <= number < self.count and number >= self.count - self._ring.shape[0]
