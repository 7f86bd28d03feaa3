"""Find the sample records in the bytes of a ``.bin`` file, also where a power cut or a bad copy has damaged it.

A record has no checksum. It is accepted if its trigger is 0 or 1, it is not part of a run of zeros (flash or a file
system that was extended but not written), and its time follows that of a neighbour. Where times do not follow each
other, the nearest byte is searched from which they do again: so missing or added bytes cost only the records around
them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.logs.record_positions import CHAIN_RECORDS, RecordPositions, times_follow
from stinger.rate import GAP_MS
from stinger.sample import CLOCK_WRAP_MS, SAMPLE_BYTES, SAMPLE_DTYPE, SampleArray

_ZEROS: Final = re.compile(rb"\0{%d,}" % SAMPLE_BYTES)
_NO_CHAIN_MAX: Final = 10
"""A file with more records than this is not a log unless some of them follow each other."""
_SEARCHED_ZEROS: Final = 256
"""Zeros after the last other byte in which records are searched for; the zeros after these are none for certain."""
TORN_ZEROS: Final = 3
"""A record in front of zeros whose last bytes are zero as well, gz and trigger, was written in part only."""


@dataclass(frozen=True, slots=True)
class CutBytes:
    """Bytes of a file that are not part of any sample: ``size`` bytes from ``at``.

    ``zero`` is whether they are a run of zeros, at least as long as a record.
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
    return bool(
        samples.size > 1 and (samples["trigger"] <= 1).all() and times_follow(times_ms[:-1], times_ms[1:]).all()
    )


def _suspicious(samples: SampleArray) -> npt.NDArray[np.bool_]:
    """Return for each of the records ``(n,)`` whether it, or its surroundings, need a closer look."""
    suspicious = np.zeros(samples.size, dtype=np.bool_)
    suspicious[samples["trigger"] > 1] = True
    follows = times_follow(samples["timestamp_ms"][:-1], samples["timestamp_ms"][1:])
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


def _is_zero(samples: SampleArray) -> npt.NDArray[np.bool_]:
    octets = np.ascontiguousarray(samples).view(np.uint8).reshape(-1, SAMPLE_BYTES)
    return np.asarray(~octets.any(axis=1))


def _search(data: bytes) -> FoundRecords:
    rows = _walk(RecordPositions(data))
    cuts = []
    end = 0
    for row in [*rows.found, range(len(data), len(data) + 1)]:
        if row.start > end:
            cuts += _divide(data, end, row.start)
        end = row.stop
    at = np.concatenate([np.arange(row.start, row.stop, SAMPLE_BYTES) for row in rows.found] or [np.empty(0, np.int64)])
    records = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data, dtype=np.uint8), SAMPLE_BYTES)[at]
    return FoundRecords(records.view(SAMPLE_DTYPE).reshape(-1), at, tuple(cuts))


class _Rows:
    """The records found so far, as rows: each a range of the bytes at which they begin."""

    def __init__(self) -> None:
        self.found: list[range] = []

    @property
    def last(self) -> int | None:
        """The byte at which the last record begins; ``None`` without any."""
        return self.found[-1][-1] if self.found else None

    def add(self, start: int, count: int = 1) -> None:
        """Add ``count`` records in a row, from the byte ``start`` on."""
        self.found.append(range(start, start + SAMPLE_BYTES * count, SAMPLE_BYTES))

    def drop_last(self) -> None:
        """Remove the last record."""
        row = self.found.pop()
        if len(row) > 1:
            self.found.append(row[:-1])


def _walk(positions: RecordPositions) -> _Rows:
    """Return the bytes at which records begin."""
    rows = _Rows()
    size = len(positions.data)
    at = 0  # where the next record would begin
    while at < positions.count:
        run = int(positions.run[at])
        start: int | None = at
        if run < CHAIN_RECORDS and at + SAMPLE_BYTES * (run + 1) <= size:
            start = positions.next_chain(at)
        if start is None:
            _add_rest(positions, at, rows)
            break
        if start > at:
            start = _cross(positions, at, start, rows)
        run = int(positions.run[start])
        rows.add(start, run)
        at = start + SAMPLE_BYTES * run
        # Bytes may be missing within the last record of a chain.
        inside = positions.next_chain(at - SAMPLE_BYTES + 1)
        if inside is not None and inside < at:
            rows.drop_last()
            at = _without_false_head(positions, inside)
    if rows.last is not None and _torn(positions.data, rows.last, size):
        rows.drop_last()
    return rows


def _cross(positions: RecordPositions, at: int, start: int, rows: _Rows) -> int:
    """Add the records between ``at`` and the next chain at ``start``.

    Return where that begins without damaged records.
    """
    for begin in _between(positions, at, start, rows.last):
        rows.add(begin)
    if (start - at) % SAMPLE_BYTES:
        start = _without_false_head(positions, start)
    if rows.last is not None and rows.last + SAMPLE_BYTES > start:
        rows.drop_last()  # its end is missing, and the next chain begins within it
    if rows.last is not None and _torn(positions.data, rows.last, start):
        rows.drop_last()
    return start


def _without_false_head(positions: RecordPositions, start: int) -> int:
    """Return where the chain at ``start``, found between damaged bytes, begins without a record whose time is damaged."""
    if positions.run[start] > CHAIN_RECORDS:
        first_ms, second_ms, third_ms = positions.times_ms(start + SAMPLE_BYTES * np.arange(3)).tolist()
        if (second_ms - first_ms) % CLOCK_WRAP_MS > GAP_MS >= (third_ms - second_ms) % CLOCK_WRAP_MS:
            return start + SAMPLE_BYTES
    return start


def _between(positions: RecordPositions, at: int, start: int, last: int | None) -> list[int]:
    """Return the records from ``at`` up to the next chain at ``start``: short boots, and samples between two pauses.

    ``last`` is the last record before ``at``.
    """
    begins = range(at, start, SAMPLE_BYTES)
    # Where some of it is damaged, nothing of it can be trusted.
    if (start - at) % SAMPLE_BYTES or not all(positions.can_begin(begin) for begin in begins):
        return []
    if last is not None and positions.follows(last, start):
        return []  # time continues across them: their own times are damaged
    kept: list[int] = []
    for begin, after in pairwise([*begins, start]):
        before = kept[-1] if kept else last
        damaged = before is not None and positions.follows(before, after) and not positions.follows(before, begin)
        if not damaged:
            kept.append(begin)
    return kept


def _add_rest(positions: RecordPositions, at: int, rows: _Rows) -> None:
    """Add the records from ``at`` to the end, where no chain follows; none of them if any is damaged."""
    begins = range(at, positions.count, SAMPLE_BYTES)
    if rows.last is None and len(begins) > _NO_CHAIN_MAX:
        return
    if all(positions.can_begin(begin) for begin in begins):
        rows.add(at, len(begins))


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
