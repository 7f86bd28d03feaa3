"""Which sample of a device's journal a message speaks of: the latest of that time that had been sent by then."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stinger.sample import SampleArray

Index = npt.NDArray[np.intp]


class JournalLookup:
    """Finds entries of a ``journal`` by the time that the device had stamped them with, which it may use more than once."""

    def __init__(self, journal: SampleArray) -> None:
        stamped_ms = journal["sample"]["timestamp_ms"].astype(np.int64)
        known_ns = np.where(journal["written_ns"] > 0, journal["written_ns"], journal["due_ns"])
        self._order = np.lexsort((known_ns, stamped_ms))
        self._stamped_ms = stamped_ms[self._order]
        self._known_ns = known_ns[self._order]

    def find(self, device_ms: npt.NDArray[np.int64], by_ns: npt.NDArray[np.int64]) -> Index:
        """For each time ``(n,)`` the entry, ``(n,)``; -1 where there was none until then."""
        first = np.searchsorted(self._stamped_ms, device_ms, side="left")
        after = np.searchsorted(self._stamped_ms, device_ms, side="right")
        found = np.full(device_ms.shape[0], -1, dtype=np.intp)
        for i, (start, stop) in enumerate(zip(first.tolist(), after.tolist(), strict=True)):
            if stop > start:
                earlier = int(np.searchsorted(self._known_ns[start:stop], by_ns[i], side="right"))
                if earlier:
                    found[i] = self._order[start + earlier - 1]
        return found
