"""Determines from a device's journal which samples reached the host intact and in order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.mlmd import WINDOW_SAMPLES
from stinger.recording import GAP_MS
from stinger.sample import SampleArray
from stinger.wire.frames import SEQUENCE_MODULUS

Mask = npt.NDArray[np.bool_]

_NOT_STREAMED: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """The entries of a ``journal`` ``(n,)``; ``delivered`` ``(n,)`` marks those sent intact and in order.

    ``stream`` ``(n,)`` numbers the streams that hosts opened, from 0; -1 for entries that were not streamed.
    """

    journal: SampleArray
    delivered: Mask
    stream: npt.NDArray[np.int64]

    @classmethod
    def of(cls, journal: SampleArray) -> Delivery:
        """Evaluate ``journal`` ``(n,)`` of ENTRY_DTYPE."""
        sequence = journal["sequence"].astype(np.int64)
        streamed = np.flatnonzero(sequence >= 0)
        stream = np.full(journal.shape[0], _NOT_STREAMED, dtype=np.int64)
        if streamed.size:
            step = np.diff(sequence[streamed])
            # A sequence number that does not grow starts another stream, unless the 16-bit number wrapped.
            restarted = (step <= 0) & (step > -SEQUENCE_MODULUS // 2)
            stream[streamed] = np.concatenate(([0], np.cumsum(restarted)))
        sent = journal["intact"] & (sequence >= 0)
        return cls(journal, sent & ~_overtaken(journal["written_ns"], sent), stream)

    def streams(self) -> list[npt.NDArray[np.intp]]:
        """Return the indices of the delivered entries of each stream that has any."""
        index = np.flatnonzero(self.delivered)
        if not index.size:
            return []
        cuts = np.flatnonzero(np.diff(self.stream[index])) + 1
        return np.split(index, cuts)

    def lost_by_sequence(self) -> int:
        """Count the frames that a host knows to be lost, as their numbers are missing between delivered ones."""
        lost = 0
        for index in self.streams():
            sequence: npt.NDArray[np.int64] = self.journal["sequence"][index].astype(np.int64)
            lost += int(((sequence[1:] - sequence[:-1]) % SEQUENCE_MODULUS - 1).sum())
        return lost

    def whole_windows(self) -> Mask:
        """Mark the entries for which a host has the same window as the device.

        That is so if the last 50 samples were all delivered, in one stream and without a gap in time.
        """
        entry = self.journal
        step_ms = np.diff(entry["time_ms"], prepend=entry["time_ms"][:1])
        joined = (step_ms > 0) & (step_ms <= GAP_MS)
        joined[1:] &= self.delivered[1:] & self.delivered[:-1] & (self.stream[1:] == self.stream[:-1])
        joined[:1] = False
        # The length of the run of joined entries that ends at each entry.
        position = np.arange(joined.size)
        run = position - np.maximum.accumulate(np.where(joined, -1, position))
        return run >= WINDOW_SAMPLES - 1

    def segments(self) -> list[npt.NDArray[np.intp]]:
        """Return :meth:`streams`, also split where the device's clock steps back, which hosts take for a reboot."""
        found = []
        for index in self.streams():
            back = np.flatnonzero(np.diff(self.journal["time_ms"][index]) < 0) + 1
            found += [index[start:stop] for start, stop in pairwise([0, *back.tolist(), index.size])]
        return found


def _overtaken(written_ns: npt.NDArray[np.int64], sent: Mask) -> Mask:
    """Mark the ``sent`` entries that were written after a later entry."""
    times = np.where(sent, written_ns, np.iinfo(np.int64).max)
    earliest_after = np.minimum.accumulate(times[::-1])[::-1]
    overtaken = np.zeros(sent.shape, dtype=np.bool_)
    overtaken[:-1] = sent[:-1] & (earliest_after[1:] < written_ns[:-1])
    return overtaken
