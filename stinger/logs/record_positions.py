"""At which bytes of damaged data a sample record can begin, and how many follow each other from there."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.sample import CLOCK_WRAP_MS, SAMPLE_BYTES

FOLLOWS_MAX_MS: Final = 1000
"""Two records follow each other if their times differ by at most this."""
CHAIN_RECORDS: Final = 8
"""This many records in a row that follow each other show where records begin; at the end of the file, fewer are
enough."""
_BATCH_MAX: Final = 64
"""The most records with the same timestamp at the beginning of a chain."""
_CLOSE_BYTES: Final = 2 * SAMPLE_BYTES
STRETCH: Final = SAMPLE_BYTES * 4096
"""Bytes examined at a time: limits the memory, some 40 times as much, whatever the size of the file."""

Bools = npt.NDArray[np.bool_]


def times_follow(first_ms: npt.NDArray[np.uint32], second_ms: npt.NDArray[np.uint32]) -> Bools:
    """Return whether each of the times ``second_ms`` follows that of ``first_ms``, both ``(n,)``."""
    ahead = second_ms - first_ms  # modulo 2**32, as the clock
    return np.asarray((ahead <= FOLLOWS_MAX_MS) | (ahead >= CLOCK_WRAP_MS - FOLLOWS_MAX_MS))


class RecordPositions:
    """For each byte of ``data``, at least 17: whether a record can begin there.

    Needs about 6 bytes of memory for each byte. ``stretch`` bytes are looked at together, a multiple of 17.
    """

    def __init__(self, data: bytes, *, stretch: int = STRETCH) -> None:
        self.data = data
        self._octets = np.frombuffer(data, dtype=np.uint8)
        self.count = self._octets.size - SAMPLE_BYTES + 1
        """Number of bytes at which a whole record can begin."""
        self.run = np.zeros(self.count, dtype=np.int32 if self.count < 1 << 31 else np.int64)
        """``(count,)``: length of the row of records that begins here, each following the one before; 0 if none can
        begin."""
        chains = []
        after = np.zeros(SAMPLE_BYTES, dtype=self.run.dtype)  # the runs of the 17 bytes behind the stretch
        for start in reversed(range(0, self.count, stretch)):
            run = _Stretch(self._octets, start, min(start + stretch, self.count)).runs(after)
            self.run[start : start + run.size] = run
            after[: run.size] = run[:SAMPLE_BYTES]
            chains.append(self._chains(start, run))
        self.chains = np.concatenate(chains[::-1])
        """The bytes at which a chain of records begins, whose time advances, ascending."""

    def times_ms(self, at: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
        """Return the times of records at the bytes ``at`` ``(n,)``."""
        found = self._octets[at].astype(np.uint32)
        for byte in (1, 2, 3):
            found |= self._octets[at + byte].astype(np.uint32) << np.uint32(8 * byte)
        return found

    def can_begin(self, at: int) -> bool:
        """Return whether a record can begin at the byte ``at``: a trigger of 0 or 1, and not erased or zeroed flash."""
        return bool(self.run[at])

    def follows(self, first: int, second: int) -> bool:
        """Return whether the time of the record at ``second`` follows that of the one at ``first``."""
        times_ms = self.times_ms(np.array([first, second]))
        return bool(times_follow(times_ms[:1], times_ms[1:])[0])

    def next_chain(self, at: int) -> int | None:
        """Return the first byte from ``at`` on at which a chain of records begins, the longest of several that overlap."""
        index = int(np.searchsorted(self.chains, at))
        if index == self.chains.size:
            return None
        best = int(self.chains[index])
        while True:
            # Bytes of a blaster that lies still may look like a few records at a wrong place: the longer chain is the
            # true one.
            close = self.chains[
                np.searchsorted(self.chains, best + 1) : np.searchsorted(self.chains, best + _CLOSE_BYTES)
            ]
            longer = close[self.run[close] > self.run[best]]
            if not longer.size:
                return best
            best = int(longer[0])

    def _chains(self, start: int, run: npt.NDArray[np.signedinteger]) -> npt.NDArray[np.int64]:
        """Return the bytes of the stretch from ``start`` at which a chain begins; ``run`` is that of the stretch."""
        maybe = np.flatnonzero(run > 1)
        records = run[maybe].astype(np.int64)
        at = maybe + start
        whole = at + SAMPLE_BYTES * records + SAMPLE_BYTES > self._octets.size
        maybe_chain = (records >= CHAIN_RECORDS) | whole
        at, records = at[maybe_chain], records[maybe_chain]
        later = at + SAMPLE_BYTES * (np.minimum(records, _BATCH_MAX) - 1)
        chains: npt.NDArray[np.int64] = at[self.times_ms(later) != self.times_ms(at)]
        return chains


class _Stretch:
    """The bytes from ``start`` to ``stop`` at which records can begin; ``start`` is a multiple of 17."""

    def __init__(self, octets: npt.NDArray[np.uint8], start: int, stop: int) -> None:
        begin = max(0, start - SAMPLE_BYTES)  # one record before it and two behind it decide as well
        end = min(stop + 2 * SAMPLE_BYTES, octets.size - SAMPLE_BYTES + 1)
        part = octets[begin : end + SAMPLE_BYTES - 1]
        self._size = stop - start
        self._time_ms = _times_ms(part, end - begin)
        changes = np.zeros(part.size, dtype=np.int32)
        np.cumsum(part[1:] != part[:-1], out=changes[1:], dtype=np.int32)
        constant = changes[SAMPLE_BYTES - 1 :] == changes[: end - begin]
        # A trigger of 0 or 1, and not all bytes equal, as in erased or zeroed flash.
        self._valid = (part[SAMPLE_BYTES - 1 :] <= 1) & ~constant
        self._allow_first_of_boot(constant, is_start=begin == 0)
        own = start - begin
        self._time_ms, self._valid = self._time_ms[own:], self._valid[own:]

    def _allow_first_of_boot(self, constant: Bools, *, is_start: bool) -> None:
        """Add the bytes at which a single record of zeros, the first of a boot, can begin."""
        zero = np.flatnonzero(constant[:-SAMPLE_BYTES] & (self._time_ms[:-SAMPLE_BYTES] == 0))
        if not is_start:
            zero = zero[zero >= SAMPLE_BYTES]
        after = zero + SAMPLE_BYTES
        first = self._valid[after] & (self._time_ms[after] > 0) & (self._time_ms[after] <= FOLLOWS_MAX_MS)
        before = zero - SAMPLE_BYTES
        first &= (before < 0) | ~constant[before]
        self._valid[zero[first]] = True

    def runs(self, after: npt.NDArray[np.signedinteger]) -> npt.NDArray[np.signedinteger]:
        """Return the length of the row of records that begins at each byte.

        ``after`` holds those of the 17 bytes behind.
        """
        rows = -(-self._size // SAMPLE_BYTES)
        joined = np.zeros(rows * SAMPLE_BYTES, dtype=np.bool_)
        known = min(self._size, self._valid.size - SAMPLE_BYTES)
        if known > 0:
            behind = slice(SAMPLE_BYTES, SAMPLE_BYTES + known)
            joined[:known] = times_follow(self._time_ms[:known], self._time_ms[behind])
            joined[:known] &= self._valid[:known] & self._valid[behind]
        # The distance to the next record in the same phase that is not followed, itself included.
        index = np.arange(rows, dtype=after.dtype)[:, None]
        stops = np.where(joined.reshape(rows, SAMPLE_BYTES), rows - 1 + after, index)
        run = (np.minimum.accumulate(stops[::-1])[::-1] - index + 1).reshape(-1)[: self._size]
        run[~self._valid[: self._size]] = 0
        return run


def _times_ms(octets: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint32]:
    """Return the little-endian number at each of the first ``count`` bytes."""
    wide = octets[: count + 3].astype(np.uint32)
    times_ms = wide[:count]
    for byte in (1, 2, 3):
        times_ms = times_ms | wide[byte : byte + count] << np.uint32(8 * byte)
    return times_ms
