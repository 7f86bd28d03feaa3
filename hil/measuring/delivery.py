"""What a device sent, as far as a host could make something of it, by its journal."""

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

_TEXT_STREAM: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """Each entry of a ``journal`` ``(n,)``: whether it was ``delivered`` ``(n,)``, which is intact and in its turn.

    ``stream`` ``(n,)`` numbers the openings of the stream, from 0; -1 for entries that were not streamed at all.
    """

    journal: SampleArray
    delivered: Mask
    stream: npt.NDArray[np.int64]

    @classmethod
    def of(cls, journal: SampleArray) -> Delivery:
        """Read ``journal`` ``(n,)`` of ENTRY_DTYPE."""
        sequence = journal["sequence"].astype(np.int64)
        streamed = np.flatnonzero(sequence >= 0)
        stream = np.full(journal.shape[0], _TEXT_STREAM, dtype=np.int64)
        if streamed.size:
            step = np.diff(sequence[streamed])
            # A number that does not grow is another stream's, unless it has come to the end of its 16 bits.
            over = (step <= 0) & (step > -SEQUENCE_MODULUS // 2)
            stream[streamed] = np.concatenate(([0], np.cumsum(over)))
        sent = journal["intact"] & (sequence >= 0)
        return cls(journal, sent & ~_late(journal["written_ns"], sent), stream)

    def streams(self) -> list[npt.NDArray[np.intp]]:
        """The indices of the delivered entries of each stream that has any."""
        index = np.flatnonzero(self.delivered)
        if not index.size:
            return []
        cuts = np.flatnonzero(np.diff(self.stream[index])) + 1
        return np.split(index, cuts)

    def lost_by_sequence(self) -> int:
        """Frames that a host can tell, by the numbers of those around them, to have been lost."""
        lost = 0
        for index in self.streams():
            sequence: npt.NDArray[np.int64] = self.journal["sequence"][index].astype(np.int64)
            lost += int(((sequence[1:] - sequence[:-1]) % SEQUENCE_MODULUS - 1).sum())
        return lost

    def whole_windows(self) -> Mask:
        """Entries whose last 50 samples all were delivered, in one stream, without a gap: a host's window is the device's."""
        entry = self.journal
        step_ms = np.diff(entry["time_ms"], prepend=entry["time_ms"][:1])
        joined = (step_ms > 0) & (step_ms <= GAP_MS)
        joined[1:] &= self.delivered[1:] & self.delivered[:-1] & (self.stream[1:] == self.stream[:-1])
        joined[:1] = False
        # The run of joined entries up to and with each one.
        position = np.arange(joined.size)
        run = position - np.maximum.accumulate(np.where(joined, -1, position))
        return run >= WINDOW_SAMPLES - 1

    def pieces(self) -> list[npt.NDArray[np.intp]]:
        """As :meth:`streams`, but cut as well where the device's clock falls back: there, hosts start over."""
        found = []
        for index in self.streams():
            back = np.flatnonzero(np.diff(self.journal["time_ms"][index]) < 0) + 1
            found += [index[start:stop] for start, stop in pairwise([0, *back.tolist(), index.size])]
        return found


def _late(written_ns: npt.NDArray[np.int64], sent: Mask) -> Mask:
    """Which of those ``sent`` were written after one that was taken later."""
    times = np.where(sent, written_ns, np.iinfo(np.int64).max)
    earliest_after = np.minimum.accumulate(times[::-1])[::-1]
    late = np.zeros(sent.shape, dtype=np.bool_)
    late[:-1] = sent[:-1] & (earliest_after[1:] < written_ns[:-1])
    return late
