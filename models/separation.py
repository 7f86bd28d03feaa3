"""Choose samples so that no two chosen ones are closer than a given time."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.windows import Indices
from stinger.errors import InputError

_BLOCK: Final = 4096
"""Candidates processed at a time; grows with the number of chosen ones, because each block sorts these."""


class SeparatedDraw:
    """Chooses samples; all that it has chosen are at least ``min_sep_ms`` apart in ``time_ms`` ``(n,) int64``."""

    def __init__(self, time_ms: np.ndarray[tuple[int], np.dtype[np.int64]], min_sep_ms: float) -> None:
        if not min_sep_ms >= 0:
            raise InputError(f"a separation of {min_sep_ms:g} ms: expected 0 or more")
        self._time_ms = time_ms
        # Times are integers, so the separation can be rounded up; at least 1, so that no sample is chosen twice.
        self._sep = max(1, int(np.ceil(min_sep_ms)))
        self._same_time = min_sep_ms == 0
        # Chosen keys by bucket. A bucket is one separation wide, so it never holds two.
        self._buckets: dict[int, int] = {}

    def choose(self, candidates: Indices, wanted: int) -> Indices:
        """Choose up to ``wanted`` of ``candidates`` in their order, each far enough from all chosen so far."""
        keys = candidates if self._same_time else self._time_ms[candidates]
        chosen: list[int] = []
        start = 0
        while start < candidates.size and len(chosen) < wanted:
            stop = start + max(_BLOCK, 2 * len(self._buckets))
            block = keys[start:stop]
            open_rows = (
                start + np.flatnonzero(self._is_free(block)) if self._buckets else np.arange(start, start + block.size)
            )
            for row, key in zip(open_rows.tolist(), keys[open_rows].tolist(), strict=True):
                if self._take(key):
                    chosen.append(row)
                    if len(chosen) == wanted:
                        break
            start = stop
        return candidates[np.array(chosen, dtype=np.intp)]

    def _take(self, key: int) -> bool:
        bucket, far = key // self._sep, 2 * self._sep
        buckets = self._buckets
        if bucket in buckets:
            return False
        if key - buckets.get(bucket - 1, key - far) < self._sep or buckets.get(bucket + 1, key + far) - key < self._sep:
            return False
        buckets[bucket] = key
        return True

    def _is_free(self, keys: Indices) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        taken = np.sort(np.fromiter(self._buckets.values(), dtype=np.int64, count=len(self._buckets)))
        after = np.searchsorted(taken, keys)
        far = np.iinfo(np.int64).max // 4
        padded = np.concatenate(([-far], taken, [far]))
        free: np.ndarray[tuple[int], np.dtype[np.bool_]] = (keys - padded[after] >= self._sep) & (
            padded[after + 1] - keys >= self._sep
        )
        return free
