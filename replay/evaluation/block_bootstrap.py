"""A bootstrap over recordings, or over blocks of time if there are few recordings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr, stdtrit

from replay.evaluation.cost import Blocks, Numbers

ENOUGH_SESSIONS: Final = 10
"""With fewer sessions, blocks of time are drawn instead."""
FEWEST_UNITS: Final = 8
"""With fewer units to draw from, nothing can be concluded."""
_DRAWS: Final = 4000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval; infinite limits if there are too few units to draw from."""

    value: float
    low: float
    high: float


class BlockBootstrap:
    """Draws of the blocks of time of some recordings, the same for every figure.

    Whole sessions are drawn if there are :data:`ENOUGH_SESSIONS`, else blocks of time: ``units`` names them, ``count``
    is their number. ``confidence`` is that of the intervals, all ``comparisons`` together (Bonferroni). Percentiles of
    a bootstrap with few units are too narrow: they are widened as Hesterberg describes (What Teachers Should Know About
    the Bootstrap, The American Statistician 69, 2015).
    """

    def __init__(self, blocks: Blocks, *, confidence: float, comparisons: int = 1, seed: int = 1) -> None:
        sessions = np.unique(blocks.session)
        whole = sessions.size >= ENOUGH_SESSIONS
        self.units = "sessions" if whole else "blocks of time"
        self._unit = np.searchsorted(sessions, blocks.session) if whole else np.arange(blocks.session.size)
        self.count = int(self._unit.max()) + 1 if self._unit.size else 0
        self._tail = _widened((1 - confidence) / 2 / max(comparisons, 1), self.count)
        self._draws: Numbers | None = None
        if self.count >= FEWEST_UNITS:
            even = np.full(self.count, 1 / self.count)
            drawn = np.random.default_rng(seed).multinomial(self.count, even, size=_DRAWS)
            self._draws = drawn.astype(np.float64)

    def totals(self, of_blocks: Numbers) -> Numbers | None:
        """Return the totals over the blocks ``(u, ...)`` in each draw ``(d, ...)``; ``None`` for too few units."""
        if self._draws is None:
            return None
        of_units = np.zeros((self.count, *of_blocks.shape[1:]))
        np.add.at(of_units, self._unit, of_blocks)
        drawn: Numbers = np.tensordot(self._draws, of_units, axes=1)
        return drawn

    def ratio(self, of_blocks: Numbers, scale: Numbers) -> Estimate:
        """Return the total of ``of_blocks`` ``(u,)`` for each unit of the total of ``scale`` ``(u,)``, such as minutes."""
        total = float(scale.sum())
        value = float(of_blocks.sum()) / total if total else math.nan
        drawn, drawn_scale = self.totals(of_blocks), self.totals(scale)
        if drawn is None or drawn_scale is None or not total:
            return Estimate(value, -math.inf, math.inf)
        usable = drawn_scale > 0
        return self.interval(value, drawn[usable] / drawn_scale[usable])

    def interval(self, value: float, drawn: Numbers) -> Estimate:
        """Return ``value`` with the interval from ``drawn``, the same figure in each draw."""
        low, high = np.quantile(drawn, (self._tail, 1 - self._tail))
        return Estimate(value, float(low), float(high))


def _widened(tail: float, count: int) -> float:
    """Return the tail for percentiles of a bootstrap of ``count`` units whose interval has ``tail`` on each side."""
    if count < FEWEST_UNITS:
        return tail
    return float(ndtr(math.sqrt(count / (count - 1)) * stdtrit(count - 1, tail)))
