"""Notices when the process was held up: stopped, suspended or too busy.

What arrived meanwhile is then not yet read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

HELD_UP_S: Final = 0.1
"""A wait that ends this much too late counts as held up."""
CATCH_UP_S: Final = 0.5
"""How long reading what arrived meanwhile may take."""


@asynccontextmanager
async def timeout_after_reading(longest_s: float | None) -> AsyncIterator[None]:
    """Limit a block that reads, as ``asyncio.timeout`` does, but read what has already arrived before it ends.

    When the process was held up for longer than the limit, what arrived meanwhile waits in the socket, and the block
    gets :data:`CATCH_UP_S` to read it. ``None`` is no limit. Raises ``TimeoutError``.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        timer = None
        if longest_s is not None:
            timer = loop.call_later(longest_s, lambda: limit.reschedule(loop.time() + CATCH_UP_S))
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()


class HoldUpDetector:
    """Decides whether silence may be judged now, or what has arrived must be read first.

    A process that continues after five seconds finds timers that are due and sockets full of data: to conclude from a
    timer that nothing has arrived would be wrong. Used for one repeated wait: :meth:`begin`, wait, :meth:`was_held_up`.
    ``clock`` returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due_s = clock()
        self._catches_up_until_s: float | None = None

    def begin(self, wait_s: float) -> None:
        """Note that a wait of at most ``wait_s`` seconds begins."""
        self._due_s = self._clock() + wait_s

    def was_held_up(self) -> bool:
        """Return whether the wait ended too late, or one did less than :data:`CATCH_UP_S` ago.

        Under permanent overload, every wait ends a little too late: the first one after the time to catch up is then
        regarded as punctual.
        """
        now_s = self._clock()
        late_s = now_s - self._due_s
        if self._catches_up_until_s is not None and late_s <= CATCH_UP_S:
            if now_s < self._catches_up_until_s:
                return True
            self._catches_up_until_s = None
            return False
        if late_s <= HELD_UP_S:
            return False
        self._catches_up_until_s = now_s + CATCH_UP_S
        return True

    async def sleep(self, seconds: float) -> bool:
        """Sleep, and return :meth:`was_held_up`."""
        self.begin(seconds)
        await asyncio.sleep(seconds)
        return self.was_held_up()
