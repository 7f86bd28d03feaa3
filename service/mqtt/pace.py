"""Limits how many messages a second are sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

_GROWTH_PER_MINUTE: Final = 1.1
"""A rate that was learned may be too low: it grows until the broker complains again."""


class Pace:
    """At most ``per_s`` messages a second, a tenth more each minute; ``None`` for no limit.

    ``on_due`` is called when another message may be sent.
    """

    def __init__(self, per_s: float | None, on_due: Callable[[], None]) -> None:
        self._per_s = per_s
        self._on_due = on_due
        self._began_s = self._due_s = time.monotonic()
        self._waiting: asyncio.TimerHandle | None = None

    @property
    def is_due(self) -> bool:
        """Whether a message may be sent now."""
        return self._per_s is None or self._due_s <= time.monotonic()

    def count(self) -> None:
        """Count a message that is sent now."""
        if self._per_s is not None:
            now_s = time.monotonic()
            rate_per_s = self._per_s * _GROWTH_PER_MINUTE ** ((now_s - self._began_s) / 60)
            self._due_s = max(self._due_s, now_s) + 1 / rate_per_s
            self.close()
            self._waiting = asyncio.get_running_loop().call_later(self._due_s - now_s, self._on_due)

    def close(self) -> None:
        """Do not call ``on_due`` any more."""
        if self._waiting is not None:
            self._waiting.cancel()
