"""How long to wait before a failed operation is retried."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

FIRST_S: Final = 0.25
LONGEST_S: Final = 10.0


class Backoff:
    """Exponential backoff with full jitter: each wait is drawn uniformly between 0 and a ceiling.

    The ceiling doubles from ``first_s`` to ``longest_s``. Jitter keeps many links that were lost together from
    reconnecting together. Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. In
    addition, no wait is longer than ``first_s`` plus the sum of all waits before it, so that an outage of a second is
    not followed by a wait of eight. ``draw(low, high)`` returns a random number between the two.
    """

    def __init__(
        self,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._draw = draw
        self._ceiling_s = first_s
        self._waited_s = 0.0

    def next_s(self) -> float:
        """Return the next wait in seconds and raise the ceiling."""
        wait_s = self._draw(0.0, self._ceiling_s)
        self._waited_s += wait_s
        self._ceiling_s = min(2.0 * self._ceiling_s, self._first_s + self._waited_s, self._longest_s)
        return wait_s

    def reset(self) -> None:
        """Start over with the shortest waits, after a success."""
        self._ceiling_s = self._first_s
        self._waited_s = 0.0
