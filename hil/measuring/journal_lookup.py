"""Finds the journal entry of a device that a message refers to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stinger.sample import SampleArray

Index = npt.NDArray[np.intp]


class JournalLookup:
    """Finds entries of a ``journal`` by the sample's timestamp, which a device may use more than once."""

    def __init__(self, journal: SampleArray) -> None:
        stamped_ms = journal["sample"]["timestamp_ms"].astype(np.int64)
        sent_ns = np.where(journal["written_ns"] > 0, journal["written_ns"], journal["due_ns"])
        self._order = np.lexsort((sent_ns, stamped_ms))
        self._stamped_ms = stamped_ms[self._order]
        self._sent_ns = sent_ns[self._order]

    def find(self, device_ms: npt.NDArray[np.int64], by_ns: npt.NDArray[np.int64]) -> Index:
        """Return the latest entry ``(n,)`` with each timestamp ``(n,)`` that was sent by ``by_ns`` ``(n,)``; -1 if none."""
        first = np.searchsorted(self._stamped_ms, device_ms, side="left")
        after = np.searchsorted(self._stamped_ms, device_ms, side="right")
        found = np.full(device_ms.shape[0], -1, dtype=np.intp)
        for i, (start, stop) in enumerate(zip(first.tolist(), after.tolist(), strict=True)):
            if stop > start:
                earlier = int(np.searchsorted(self._sent_ns[start:stop], by_ns[i], side="right"))
                if earlier:
                    found[i] = self._order[start + earlier - 1]
        return found
