"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

FIRST_S: Final = 0.25
LONGEST_S: Final = 10.0


class Backoff:
    """Full jitter: each wait is drawn evenly from 0 to a ceiling that doubles from ``first_s`` to ``longest_s``.

    So that a hall of links that were lost together does not come back together. Source: M. Brooker, "Exponential
    Backoff And Jitter", AWS Architecture Blog, 2015. Besides, no wait is longer than all before it together and
    ``first_s``: what was away for a second is not left away for eight. ``draw(low, high)`` gives a number between them.
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
        """The next wait, in seconds."""
        wait_s = self._draw(0.0, self._ceiling_s)
        self._waited_s += wait_s
        self._ceiling_s = min(2.0 * self._ceiling_s, self._first_s + self._waited_s, self._longest_s)
        return wait_s

    def reset(self) -> None:
        """Begin again with the shortest waits: what was tried has worked."""
        self._ceiling_s = self._first_s
        self._waited_s = 0.0
