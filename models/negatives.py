"""Choose negative windows: examples of windows that no shot follows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from models.candidate_windows import AvoidEdges, CandidateWindows, Exclusion
from models.separation import SeparatedDraw
from models.windows import Indices
from stinger.errors import InputError

Strategy = Literal["far", "near", "mixed"]

OVERDRAW: Final = 3
"""With replacement, the number of drawn candidates is this multiple of the number of wanted windows."""

_EXCLUSION_LABELS: Final = {
    Exclusion.INCOMPLETE: "not_whole",
    Exclusion.HOLDS_TRIGGER: "holds_trigger",
    Exclusion.NEAR_EDGE: "near_edge",
}


@dataclass(frozen=True, slots=True)
class NegativeOptions:
    """How negatives are chosen; times in ms, quantiles from 0 to 1.

    ``far`` takes windows from anywhere, ``near`` those that end between ``near_min_ms`` and ``near_max_ms`` before a
    positive window starts, ``mixed`` ``round(mult * mixed_near_frac)`` near ones for each positive and the rest far.
    At most ``mult`` are chosen per positive, with their ends at least ``min_sep_ms`` apart. ``min_motion_quantile``
    removes the candidates with the least motion; ``match_pos_motion`` keeps those whose motion is between the quantiles
    ``pos_motion_q`` and ``1 - pos_motion_q`` of the positives. Raises :class:`InputError` for invalid values.
    """

    strategy: Strategy = "far"
    mixed_near_frac: float = 0.5
    mult: int = 1
    min_motion_quantile: float = 0.0
    match_pos_motion: bool = False
    pos_motion_q: float = 0.1
    min_sep_ms: float = 250
    with_replacement: bool = False
    near_min_ms: float = 200
    near_max_ms: float = 2000
    avoid_post_ms: float = 1000
    avoid_edges: AvoidEdges = "all"

    def __post_init__(self) -> None:
        if self.mult < 1:
            raise InputError(f"{self.mult} negatives for each positive: expected at least 1")
        for name, value, highest in (
            ("mixed_near_frac", self.mixed_near_frac, 1.0),
            ("min_motion_quantile", self.min_motion_quantile, 1.0),
            ("pos_motion_q", self.pos_motion_q, 0.5),
        ):
            if not 0 <= value <= highest:
                raise InputError(f"{name} is {value:g}: expected 0 to {highest:g}")
        if not 0 <= self.near_min_ms <= self.near_max_ms:
            raise InputError(
                f"the near band is {self.near_min_ms:g} to {self.near_max_ms:g} ms before a positive window: "
                "expected two times of 0 or more, the shorter first"
            )
        if not self.avoid_post_ms >= 0 or not self.min_sep_ms >= 0:
            raise InputError("avoid_post_ms and min_sep_ms: expected 0 or more")


RECOMMENDED: Final = NegativeOptions(
    strategy="mixed",
    mixed_near_frac=0.6,
    mult=8,
    min_motion_quantile=0.2,
    match_pos_motion=True,
    pos_motion_q=0.05,
    min_sep_ms=200,
    with_replacement=True,
    avoid_edges="all",
    avoid_post_ms=2000,
)
"""Harder negatives than the defaults of an export: models trained on them have fewer long stretches of high
probability.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Negatives:
    """The chosen negatives.

    ``ends`` ``(k,)``, ascending, index samples of the candidates; ``counts`` how many of them each filter removed. The
    keys of ``counts``, in order, are the strategies used, ``far`` and ``near``; each value is ``{"candidates": ...,
    <filter>: number removed, ..., "chosen": ...}``.
    """

    ends: Indices
    counts: Mapping[str, Mapping[str, int]]


def choose_negatives(
    pool: CandidateWindows, positive_starts: Indices, positive_ends: Indices, options: NegativeOptions, seed: int
) -> Negatives:
    """Choose negatives from ``pool`` for the positive windows ``[start, end)``. The same seed chooses the same ones."""
    draw = _Draw(pool, pool.score[positive_ends], options, seed)
    total = positive_starts.size * options.mult
    if options.strategy == "near":
        chosen = draw.near(positive_starts, options.mult)
    elif options.strategy == "far":
        chosen = draw.far(total)
    else:
        near = draw.near(positive_starts, round(options.mult * options.mixed_near_frac))
        chosen = np.concatenate((near, draw.far(total - near.size)))
    return Negatives(ends=np.sort(chosen), counts={name: dict(count) for name, count in draw.counts.items()})


def choose_far(pool: CandidateWindows, wanted: int, options: NegativeOptions, seed: int) -> Negatives:
    """Choose at most ``wanted`` negatives from anywhere in ``pool``, which has no shots and so no positives."""
    draw = _Draw(pool, np.empty(0), replace(options, match_pos_motion=False), seed)
    chosen = draw.far(wanted)
    return Negatives(ends=np.sort(chosen), counts={name: dict(count) for name, count in draw.counts.items()})


class _Draw:
    """Draws negatives and counts how many candidates each filter removes."""

    def __init__(
        self, pool: CandidateWindows, positive_scores: npt.NDArray[np.float64], options: NegativeOptions, seed: int
    ) -> None:
        self._pool = pool
        self._options = options
        self._rng = np.random.default_rng(seed)
        self._separated = SeparatedDraw(pool.time_ms, options.min_sep_ms)
        self._motion_range = (
            _quantile_range(positive_scores, options.pos_motion_q) if options.match_pos_motion else None
        )
        self.counts: dict[str, Counter[str]] = {}

    def far(self, wanted: int) -> Indices:
        count = self.counts.setdefault("far", Counter())
        return self._choose(np.arange(len(self._pool)), wanted, count)

    def near(self, positive_starts: Indices, wanted_each: int) -> Indices:
        count = self.counts.setdefault("near", Counter())
        times = self._pool.time_ms
        session = np.searchsorted(self._pool.starts, positive_starts, side="right") - 1
        # A band may be longer than the distance between two sessions on the common time axis.
        lowest, highest = self._pool.starts[session], self._pool.starts[session + 1]
        before = times[positive_starts]
        first = np.searchsorted(times, before - self._options.near_max_ms, side="left")
        last = np.searchsorted(times, before - self._options.near_min_ms, side="right")
        bands = zip(np.maximum(first, lowest).tolist(), np.minimum(last, highest).tolist(), strict=True)
        chosen = [self._choose(np.arange(low, high), wanted_each, count) for low, high in bands]
        return np.concatenate(chosen) if chosen else np.empty(0, dtype=np.intp)

    def _choose(self, candidates: Indices, wanted: int, count: Counter[str]) -> Indices:
        fit = self._fit(candidates, count)
        if self._options.with_replacement:
            order = self._rng.choice(fit, size=OVERDRAW * wanted) if fit.size and wanted else fit[:0]
        else:
            order = self._rng.permutation(fit)
        chosen = self._separated.choose(order, wanted)
        count["not_drawn_or_too_close"] += fit.size - chosen.size
        count["chosen"] += chosen.size
        return chosen

    def _fit(self, candidates: Indices, count: Counter[str]) -> Indices:
        """Return those of ``candidates`` that no filter removes; add the number that each removes to ``count``."""
        exclusions = self._pool.exclusion[candidates]
        number_of = np.bincount(exclusions, minlength=len(Exclusion))
        count["candidates"] += candidates.size
        for exclusion, label in _EXCLUSION_LABELS.items():
            count[label] += int(number_of[exclusion])
        fit: Indices = candidates[exclusions == Exclusion.NONE]
        scores = self._pool.score[fit]
        if self._options.min_motion_quantile > 0 and fit.size:
            # A partial sort: only one value is needed.
            rank = math.floor(self._options.min_motion_quantile * (fit.size - 1))
            keep = scores >= np.partition(scores, rank)[rank]
            fit, scores = _kept(fit, scores, keep, count, "too_little_motion")
        if self._motion_range is not None:
            low, high = self._motion_range
            fit, scores = _kept(fit, scores, (scores >= low) & (scores <= high), count, "unlike_positives")
        return fit


def _kept(
    ends: Indices, scores: npt.NDArray[np.float64], keep: npt.NDArray[np.bool_], count: Counter[str], label: str
) -> tuple[Indices, npt.NDArray[np.float64]]:
    count[label] += int(keep.size - keep.sum())
    return ends[keep], scores[keep]


def _quantile_range(scores: npt.NDArray[np.float64], q: float) -> tuple[float, float]:
    ordered = np.sort(scores)
    last = ordered.size - 1
    return float(ordered[math.floor(q * last)]), float(ordered[math.ceil((1 - q) * last)])
