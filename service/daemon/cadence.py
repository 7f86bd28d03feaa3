"""When blocks are scored: at once, or gathered for a few milliseconds because scoring each by itself costs too much."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

SCORING_SHARE: Final = 0.4
"""Blocks are gathered once scoring takes more than this share of the time; a gathered block costs half as much."""
MANY_BLOCKS_A_SECOND: Final = 500
"""Fewer blocks than this are never gathered: they are large, and gain nothing by it."""
GATHER_S: Final = 0.005
"""How long blocks are gathered."""
_MEASURED_S: Final = 0.1


class Cadence:
    """Measures the rate of blocks and the time that scoring takes, and decides whether to gather blocks.

    Gathering ends when the rate falls to half of what it was when gathering began. ``clock`` returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gathering_since_rate: float | None = None
        self._blocks, self._scoring_s, self._since_s = 0, 0.0, clock()

    @property
    def delay_s(self) -> float:
        """How long to let blocks gather before they are scored; 0 to score at once."""
        return 0.0 if self._gathering_since_rate is None else GATHER_S

    def count_block(self) -> None:
        """Count a block that was queued."""
        self._blocks += 1
        now_s = self._clock()
        measured_s = now_s - self._since_s
        if measured_s < _MEASURED_S:
            return
        rate = self._blocks / measured_s
        if self._gathering_since_rate is None:
            # Not the rate alone: scoring block by block may itself hold the rate below what sources could deliver.
            if rate > MANY_BLOCKS_A_SECOND and self._scoring_s > SCORING_SHARE * measured_s:
                self._gathering_since_rate = rate
        elif rate < self._gathering_since_rate / 2:
            self._gathering_since_rate = None
        self._blocks, self._scoring_s, self._since_s = 0, 0.0, now_s

    def count_scoring(self, seconds: float) -> None:
        """Count time that scoring took."""
        self._scoring_s += seconds
