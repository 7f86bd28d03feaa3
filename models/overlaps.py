"""Find the stretches of recordings that hold the same readings, whatever their names, clocks and file formats.

Two recordings overlap where the same readings of the sensor, all six axes equal, follow each other in the same order.
Times are not compared. Samples may be missing in one of the two, at random or regularly, as in a thinned stream.
Readings that occur often in a recording, as at rest, are not enough: only rare ones show where two recordings are the
same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

Readings = npt.NDArray[np.int16]
"""``(m, 6)``: what the sensor read, in raw LSB, in order of time."""
Hashes = npt.NDArray[np.uint64]

CHAIN_MIN: Final = 10
"""This many equal readings in the same order show an overlap: a tenth of a second at 100 Hz."""
REACH: Final = 100
"""Between two equal readings of a chain, fewer than this many samples are skipped in each recording."""
_AXES_MIN: Final = 2
"""A reading that differs from the one before in fewer axes shows nothing: a reading printed twice, or a drift at rest."""
_OCCURRENCES_MAX: Final = 4
"""A reading that occurs more often in one recording is not rare."""
_PRESENT_MIN: Final = 0.9
"""A stretch beside a chain belongs to the overlap if this part of its readings is also in the other recording."""
_MULTIPLIERS: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0xBF58476D1CE4E5B9))

_Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Overlap:
    """The readings ``[start, stop)`` of the recording at index ``recording`` are also in the one at index ``other``.

    ``other`` is less than ``recording``, or equal where a recording repeats an earlier stretch of itself.
    """

    recording: int
    other: int
    start: int
    stop: int


def hash_readings(readings: Readings) -> Hashes:
    """Return a hash ``(m,)`` of each of ``readings``. Model files hold such hashes, so it must never change."""
    values = np.ascontiguousarray(readings, dtype=np.int16).view(np.uint16).astype(np.uint64)
    first = values[:, 0] | values[:, 1] << np.uint64(16) | values[:, 2] << np.uint64(32) | values[:, 3] << np.uint64(48)
    second = (values[:, 4] | values[:, 5] << np.uint64(16)) + np.uint64(1)
    hashes = first * _MULTIPLIERS[0] ^ second * _MULTIPLIERS[1]
    hashes ^= hashes >> np.uint64(29)
    hashes *= _MULTIPLIERS[2]
    mixed: Hashes = hashes ^ hashes >> np.uint64(32)
    return mixed


def find_overlaps(recordings: Sequence[Readings], *, per_sample: Sequence[int] | None = None) -> tuple[Overlap, ...]:
    """Return the overlaps of each of ``recordings`` with itself and with those before it.

    ``per_sample`` is the number of readings per sample of each recording, 1 by default. Overlaps of one recording with
    several others may overlap each other.
    """
    if not any(len(readings) for readings in recordings):
        return ()
    joined = _Joined(recordings, per_sample or [1] * len(recordings))
    repeats = tuple(_overlaps(joined, *joined.repeats_within()))
    for overlap in repeats:
        joined.remove(overlap)
    return (*repeats, *_overlaps(joined, *joined.matches_between()))


@dataclass(frozen=True, slots=True)
class _Chain:
    """Matches that follow each other: readings ``[start, stop)`` of one recording, ``[other_start, other_stop)`` of another."""

    start: int
    stop: int
    other_start: int
    other_stop: int

    @property
    def pace(self) -> float:
        """Readings of the other recording for each of this one."""
        return (self.other_stop - self.other_start) / (self.stop - self.start)


class _Joined:
    """All recordings joined to one, and the positions of its readings that occur more than once."""

    def __init__(self, recordings: Sequence[Readings], per_sample: Sequence[int]) -> None:
        self.hashes = np.concatenate([hash_readings(readings) for readings in recordings])
        self.starts = np.cumsum([0, *(len(readings) for readings in recordings)])
        self.reach = REACH * np.array(per_sample, dtype=np.int64)
        self.recording = np.repeat(np.arange(len(recordings)), np.diff(self.starts))
        """Index of the recording of each reading."""
        positions = np.flatnonzero(np.concatenate([_moves(readings) for readings in recordings]))
        order = positions[np.argsort(self.hashes[positions], kind="stable")]
        equal = self.hashes[order[1:]] == self.hashes[order[:-1]]
        shared = np.zeros(order.size, dtype=np.bool_)
        shared[1:] |= equal
        shared[:-1] |= equal
        self._order = order[shared]  # by hash; those with the same hash ascending

    def of(self, recording: int) -> Hashes:
        """Return the hashes of the recording at this index."""
        return self.hashes[self.starts[recording] : self.starts[recording + 1]]

    def remove(self, overlap: Overlap) -> None:
        """Ignore the readings of ``overlap`` from now on."""
        start = self.starts[overlap.recording]
        order = self._order
        self._order = order[(order < start + overlap.start) | (order >= start + overlap.stop)]

    def repeats_within(self) -> tuple[_Positions, _Positions]:
        """Return positions of readings, and for each the last one with the same reading before it in the same recording."""
        follows, occurrences = self._occurrences()
        later = np.flatnonzero(follows & (occurrences <= _OCCURRENCES_MAX))
        order = self._order
        later = later[order[later] - order[later - 1] > self.reach[self.recording[order[later]]]]
        return order[later], order[later - 1]

    def matches_between(self) -> tuple[_Positions, _Positions]:
        """Return positions of readings, and for each a position with the same reading in an earlier recording.

        Only readings that occur once in each recording are matched, each with the first and the last recording before
        it.
        """
        order = self._order[self._occurrences()[1] == 1]
        index = np.arange(order.size)
        begins = np.ones(order.size, dtype=np.bool_)
        begins[1:] = self.hashes[order[1:]] != self.hashes[order[:-1]]
        first = np.maximum.accumulate(np.where(begins, index, 0))
        with_first, with_last = np.flatnonzero(index > first), np.flatnonzero(index > first + 1)
        later = np.concatenate((with_first, with_last))
        earlier = np.concatenate((first[with_first], with_last - 1))
        return order[later], order[earlier]

    def _occurrences(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Return whether each of the order has the same reading and recording as the one before it, and how many have."""
        order = self._order
        follows = np.zeros(order.size, dtype=np.bool_)
        follows[1:] = (self.hashes[order[1:]] == self.hashes[order[:-1]]) & (
            self.recording[order[1:]] == self.recording[order[:-1]]
        )
        run = np.cumsum(~follows) - 1
        return follows, np.bincount(run, minlength=1)[run]


def _moves(readings: Readings) -> npt.NDArray[np.bool_]:
    """Return for each of ``readings`` whether it differs from the one before in enough axes to be compared."""
    moves = np.ones(len(readings), dtype=np.bool_)
    moves[1:] = (readings[1:] != readings[:-1]).sum(axis=1) >= _AXES_MIN
    return moves


def _overlaps(joined: _Joined, later: _Positions, earlier: _Positions) -> Iterator[Overlap]:
    """Yield the overlaps shown by matches: their chains, joined where the readings between are in both recordings as well."""
    for recording, other, chains in _chains(joined, later, earlier):
        own, others = joined.of(recording), joined.of(other)
        start = _extended_start(own, others, chains[0])
        for chain, after in pairwise(chains):
            # A recording that repeats itself: only what comes before the repeat counts.
            end = after.other_start if recording != other else min(after.other_start, chain.stop)
            if after.other_start < chain.other_stop or not _is_present(
                own[chain.stop : after.start], others[chain.other_stop : end]
            ):
                yield Overlap(recording, other, start, chain.stop)
                start = after.start
        before = others if recording != other else others[: chains[-1].start]
        yield Overlap(recording, other, start, _extended_stop(own, before, chains[-1]))


def _chains(joined: _Joined, later: _Positions, earlier: _Positions) -> Iterator[tuple[int, int, list[_Chain]]]:
    """Yield for each pair of recordings the chains of matches in them, in the order of the later recording."""
    pair = joined.recording[later] * joined.starts.size + joined.recording[earlier]
    order = np.lexsort((later, pair))
    pair, later, earlier = pair[order], later[order], earlier[order]
    recording, other = joined.recording[later], joined.recording[earlier]
    step, other_step = np.diff(later), np.diff(earlier)
    linked = (pair[1:] == pair[:-1]) & (step <= joined.reach[recording[1:]])
    linked &= (other_step > 0) & (other_step <= joined.reach[other[1:]])
    firsts = np.flatnonzero(np.concatenate(([True], ~linked))) if later.size else np.empty(0, dtype=np.int64)
    lasts = np.append(firsts[1:], later.size) - 1
    long = lasts - firsts + 1 >= CHAIN_MIN
    found: dict[tuple[int, int], list[_Chain]] = {}
    for first, last in zip(firsts[long].tolist(), lasts[long].tolist(), strict=True):
        key = int(recording[first]), int(other[first])
        start, other_start = joined.starts[key[0]], joined.starts[key[1]]
        chain = _Chain(
            start=int(later[first] - start),
            stop=int(later[last] - start) + 1,
            other_start=int(earlier[first] - other_start),
            other_stop=int(earlier[last] - other_start) + 1,
        )
        found.setdefault(key, []).append(chain)
    for (number, other_number), chains in found.items():
        yield number, other_number, chains


def _extended_start(own: Hashes, others: Hashes, chain: _Chain) -> int:
    """Return 0 if all before ``chain`` is in the other recording as well, else the start of ``chain``."""
    begin = max(0, chain.other_start - int(1.5 * chain.start * chain.pace) - REACH)
    return 0 if _is_present(own[: chain.start], others[begin : chain.other_start]) else chain.start


def _extended_stop(own: Hashes, others: Hashes, chain: _Chain) -> int:
    """Return the end of the recording if all after ``chain`` is in the other one as well, else the end of ``chain``."""
    end = chain.other_stop + int(1.5 * (own.size - chain.stop) * chain.pace) + REACH
    return own.size if _is_present(own[chain.stop :], others[chain.other_stop : end]) else chain.stop


def _is_present(own: Hashes, others: Hashes) -> bool:
    """Return whether nearly all of the readings ``own`` are among ``others``."""
    return not own.size or bool(np.isin(own, others).mean() >= _PRESENT_MIN)
