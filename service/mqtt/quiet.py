"""Waits until a broker has delivered everything that it retains: MQTT has no message for the end of it."""

from __future__ import annotations

import asyncio
import time


class QuietPeriod:
    """A time of ``seconds`` without a message."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._message_s = 0.0

    def restart(self) -> None:
        """Note that a message has arrived."""
        self._message_s = time.monotonic()

    async def wait(self) -> None:
        """Wait until no message has arrived for that time, which begins now."""
        left_s = self._seconds
        while left_s > 0:
            await asyncio.sleep(left_s)
            left_s = self._message_s + self._seconds - time.monotonic()
