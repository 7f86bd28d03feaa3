"""Find the sample records in the bytes of a ``.bin`` file, also where a power cut or a bad copy has damaged it.

A record has no checksum. It is accepted if its trigger is 0 or 1, it is not part of a run of zeros (flash or a file system
that was extended but not written), and its time follows that of a neighbour. Where times do not follow each other, the
nearest byte is searched from which they do again: so missing or added bytes cost only the records around them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.rate import GAP_MS
from stinger.sample import CLOCK_WRAP_MS, SAMPLE_BYTES, SAMPLE_DTYPE, SampleArray

FOLLOWS_MAX_MS: Final = 1000
"""Two records follow each other if their times differ by at most this."""
CHAIN_RECORDS: Final = 8
"""This many records in a row that follow each other show where records begin; at the end of the file, fewer are enough."""
_ZEROS: Final = re.compile(rb"\0{%d,}" % SAMPLE_BYTES)
_BATCH_MAX: Final = 64
"""The most records with the same timestamp at the beginning of a chain."""
_CLOSE_BYTES: Final = 2 * SAMPLE_BYTES
_NO_CHAIN_MAX: Final = 10
"""A file with more records than this is not a log unless some of them follow each other."""
_SEARCHED_ZEROS: Final = 256
"""As many zeros at the end of a file are searched for records; more of them cannot be any."""
TORN_ZEROS: Final = 3
"""A record in front of zeros whose last bytes are zero as well, gz and trigger, was written in part only."""


@dataclass(frozen=True, slots=True)
class CutBytes:
    """Bytes of a file that are not part of any sample: ``size`` bytes from ``at``.

    ``zero``: all of them are 0, and they are a record or more.
    """

    at: int
    size: int
    zero: bool


@dataclass(frozen=True, slots=True, eq=False)
class FoundRecords:
    """``samples`` ``(n,)``, the byte ``at`` ``(n,)`` at which each begins, and the ``cuts`` between and after them."""

    samples: SampleArray
    at: npt.NDArray[np.int64]
    cuts: tuple[CutBytes, ...]


def find_records(data: bytes) -> FoundRecords:
    """Return the records in ``data``, at least 17 bytes; none at all if the content is not a sequence of records."""
    end = len(data.rstrip(b"\0")) + _SEARCHED_ZEROS
    if end < len(data):  # a file system may extend a file by gigabytes of zeros
        found = find_records(data[:end])
        last = found.cuts[-1]
        return replace(found, cuts=(*found.cuts[:-1], replace(last, size=len(data) - last.at)))
    count = len(data) // SAMPLE_BYTES
    samples = np.frombuffer(data, dtype=SAMPLE_DTYPE, count=count)
    if not _suspicious(samples).any():
        at = np.arange(count, dtype=np.int64) * SAMPLE_BYTES
        trailing = len(data) - count * SAMPLE_BYTES
        cuts = (CutBytes(count * SAMPLE_BYTES, trailing, zero=False),) if trailing else ()
        return FoundRecords(samples, at, cuts)
    return _search(data)


def begins_with_records(data: bytes) -> bool:
    """Return whether ``data`` begins with a chain of intact records."""
    samples = np.frombuffer(data, dtype=SAMPLE_DTYPE, count=min(len(data) // SAMPLE_BYTES, CHAIN_RECORDS))
    times_ms = samples["timestamp_ms"]
    return bool(samples.size > 1 and (samples["trigger"] <= 1).all() and _follows(times_ms[:-1], times_ms[1:]).all())


def _suspicious(samples: SampleArray) -> npt.NDArray[np.bool_]:
    """Return for each of the records ``(n,)`` whether it, or its surroundings, need a closer look."""
    suspicious = np.zeros(samples.size, dtype=np.bool_)
    suspicious[samples["trigger"] > 1] = True
    follows = _follows(samples["timestamp_ms"][:-1], samples["timestamp_ms"][1:])
    if not follows.all():
        apart = np.ones(samples.size, dtype=np.bool_)
        apart[1:] &= ~follows
        apart[:-1] &= ~follows
        suspicious[apart] = True
    at_zero = np.flatnonzero(samples["timestamp_ms"] == 0)
    if at_zero.size:
        zero = _is_zero(samples[at_zero])
        in_run = np.zeros(samples.size + 1, dtype=np.bool_)
        in_run[at_zero[zero]] = True
        suspicious[in_run[:-1] & (in_run[1:] | (np.arange(samples.size) == samples.size - 1))] = True
        suspicious[at_zero[zero & (at_zero > 0)]] = True
    return suspicious


def _follows(first_ms: npt.NDArray[np.uint32], second_ms: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    ahead = second_ms - first_ms  # modulo 2**32, as the clock
    return np.asarray((ahead <= FOLLOWS_MAX_MS) | (ahead >= CLOCK_WRAP_MS - FOLLOWS_MAX_MS))


def _is_zero(samples: SampleArray) -> npt.NDArray[np.bool_]:
    octets = np.ascontiguousarray(samples).view(np.uint8).reshape(-1, SAMPLE_BYTES)
    return np.asarray(~octets.any(axis=1))


def _search(data: bytes) -> FoundRecords:
    positions = _Positions(data)
    begins = _walk(positions)
    cuts = []
    end = 0
    for start in [*begins, len(data)]:
        if start > end:
            cuts += _divide(data, end, start)
        end = start + SAMPLE_BYTES
    at = np.array(begins, dtype=np.int64)
    octets = np.frombuffer(data, dtype=np.uint8)[at[:, None] + np.arange(SAMPLE_BYTES)]
    return FoundRecords(np.ascontiguousarray(octets).view(SAMPLE_DTYPE).reshape(-1), at, tuple(cuts))


class _Positions:
    """For each byte of ``data``, ``n = len(data)``: whether a record can begin there."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        octets = np.frombuffer(data, dtype=np.uint8)
        last = octets.size - SAMPLE_BYTES  # last byte at which a whole record can begin
        wide = octets.astype(np.uint32)
        self.time_ms = (
            wide[: last + 1]
            | wide[1 : last + 2] << np.uint32(8)
            | wide[2 : last + 3] << np.uint32(16)
            | wide[3 : last + 4] << np.uint32(24)
        )
        changes = np.concatenate(([0], np.cumsum(octets[1:] != octets[:-1])))
        constant = changes[SAMPLE_BYTES - 1 :] == changes[: last + 1]
        self.valid = (octets[SAMPLE_BYTES - 1 :] <= 1) & ~constant
        """Whether the 17 bytes can be a record: a trigger of 0 or 1, and not all bytes equal, as in erased or zeroed flash.

        A single record of zeros can be the first of a boot.
        """
        self._allow_first_of_boot(constant)
        self.run = self._runs()
        """Length of the row of records that begins here, each following the one before it; 0 where no record can begin."""
        index = np.arange(last + 1)
        whole = index + SAMPLE_BYTES * self.run + SAMPLE_BYTES > octets.size
        later_ms = self.time_ms[index + SAMPLE_BYTES * (np.clip(self.run, 1, _BATCH_MAX) - 1)]
        self.chains = np.flatnonzero(
            ((self.run >= CHAIN_RECORDS) | ((self.run > 1) & whole)) & (later_ms != self.time_ms)
        )
        """The bytes at which a chain of records begins, whose time advances, ascending."""

    def _allow_first_of_boot(self, constant: npt.NDArray[np.bool_]) -> None:
        zero = np.flatnonzero(constant[:-SAMPLE_BYTES] & (self.time_ms[:-SAMPLE_BYTES] == 0))
        after = zero + SAMPLE_BYTES
        first = self.valid[after] & (self.time_ms[after] > 0) & (self.time_ms[after] <= FOLLOWS_MAX_MS)
        before = zero - SAMPLE_BYTES
        first &= (before < 0) | ~constant[before]
        self.valid[zero[first]] = True

    def _runs(self) -> npt.NDArray[np.int64]:
        size = self.valid.size
        follows = np.zeros(size, dtype=np.bool_)
        follows[:-SAMPLE_BYTES] = _follows(self.time_ms[:-SAMPLE_BYTES], self.time_ms[SAMPLE_BYTES:])
        follows[:-SAMPLE_BYTES] &= self.valid[SAMPLE_BYTES:]
        run = np.zeros(size, dtype=np.int64)
        for phase in range(min(SAMPLE_BYTES, size)):
            joined = follows[phase::SAMPLE_BYTES] & self.valid[phase::SAMPLE_BYTES]
            # The distance to the next position that is not followed, itself included.
            index = np.arange(joined.size)
            stops = np.where(joined, joined.size, index)
            run[phase::SAMPLE_BYTES] = np.minimum.accumulate(stops[::-1])[::-1] - index + 1
        run[~self.valid] = 0
        return run

    def follows(self, first: int, second: int) -> bool:
        """Return whether the time of the record at ``second`` follows that of the one at ``first``."""
        return bool(_follows(self.time_ms[[first]], self.time_ms[[second]])[0])

    def next_chain(self, at: int) -> int | None:
        """Return the first byte from ``at`` on at which a chain of records begins, the longest of several that overlap."""
        index = int(np.searchsorted(self.chains, at))
        if index == self.chains.size:
            return None
        best = int(self.chains[index])
        while True:
            # Bytes of a blaster that lies still may look like a few records at a wrong place: the longer chain is the true one.
            close = self.chains[
                np.searchsorted(self.chains, best + 1) : np.searchsorted(self.chains, best + _CLOSE_BYTES)
            ]
            longer = close[self.run[close] > self.run[best]]
            if not longer.size:
                return best
            best = int(longer[0])


def _walk(positions: _Positions) -> list[int]:
    """Return the bytes at which records begin, ascending."""
    found: list[int] = []
    size = positions.valid.size
    at = 0  # where the next record would begin
    while at < size:
        run = int(positions.run[at])
        start: int | None = at
        if run < CHAIN_RECORDS and at + SAMPLE_BYTES * (run + 1) <= len(positions.data):
            start = positions.next_chain(at)
        if start is None:
            found += _rest(positions, at, found)
            break
        if start > at:
            found += _between(positions, at, start, found)
            if (start - at) % SAMPLE_BYTES:
                start = _without_false_head(positions, start)
            if found and found[-1] + SAMPLE_BYTES > start:  # its end is missing, and the next chain begins within it
                found.pop()
            if found and _torn(positions.data, found[-1], start):
                found.pop()
        run = int(positions.run[start])
        found += range(start, start + SAMPLE_BYTES * run, SAMPLE_BYTES)
        at = start + SAMPLE_BYTES * run
        # Bytes may be missing within the last record of a chain.
        inside = positions.next_chain(at - SAMPLE_BYTES + 1)
        if inside is not None and inside < at:
            found.pop()
            at = _without_false_head(positions, inside)
    if found and _torn(positions.data, found[-1], len(positions.data)):
        found.pop()
    return found


def _without_false_head(positions: _Positions, start: int) -> int:
    """Return where the chain at ``start``, found between damaged bytes, begins without a record whose time is damaged."""
    if positions.run[start] > CHAIN_RECORDS:
        first_ms, second_ms, third_ms = positions.time_ms[start : start + 3 * SAMPLE_BYTES : SAMPLE_BYTES].tolist()
        if (second_ms - first_ms) % CLOCK_WRAP_MS > GAP_MS >= (third_ms - second_ms) % CLOCK_WRAP_MS:
            return start + SAMPLE_BYTES
    return start


def _between(positions: _Positions, at: int, start: int, found: list[int]) -> list[int]:
    """Return the records from ``at`` up to the next chain at ``start``: short boots, and samples between two pauses."""
    if (start - at) % SAMPLE_BYTES:
        return []
    begins = [begin for begin in range(at, start, SAMPLE_BYTES) if positions.valid[begin]]
    if len(begins) * SAMPLE_BYTES < start - at:
        return []  # some of it is damaged, so nothing of it can be trusted
    if found and positions.follows(found[-1], start):
        return []  # time continues across them: their own times are damaged
    kept: list[int] = []
    for begin, after in pairwise([*begins, start]):
        before = [*found[-1:], *kept][-1:]
        damaged = before and positions.follows(before[0], after) and not positions.follows(before[0], begin)
        if not damaged:
            kept.append(begin)
    return kept


def _rest(positions: _Positions, at: int, found: list[int]) -> list[int]:
    """Return the records from ``at`` to the end, where no chain follows; none of them if any is damaged."""
    begins = range(at, positions.valid.size, SAMPLE_BYTES)
    if not found and len(begins) > _NO_CHAIN_MAX:
        return []
    valid = [begin for begin in begins if positions.valid[begin]]
    return valid if len(valid) == len(begins) else []


def _torn(data: bytes, begin: int, end: int) -> bool:
    """Return whether the record at ``begin``, with zeros between it and ``end``, was written in part only."""
    stop = begin + SAMPLE_BYTES
    return (
        end - stop >= TORN_ZEROS
        and not any(data[stop - TORN_ZEROS : stop])
        and not any(data[stop : min(end, stop + SAMPLE_BYTES)])
    )


def _divide(data: bytes, start: int, end: int) -> list[CutBytes]:
    """Return the cuts from ``start`` to ``end``: each long run of zeros is one of its own."""
    cuts = []
    for zeros in _ZEROS.finditer(data, start, end):
        if zeros.start() > start:
            cuts.append(CutBytes(start, zeros.start() - start, zero=False))
        cuts.append(CutBytes(zeros.start(), zeros.end() - zeros.start(), zero=True))
        start = zeros.end()
    if start < end:
        cuts.append(CutBytes(start, end - start, zero=False))
    return cuts
