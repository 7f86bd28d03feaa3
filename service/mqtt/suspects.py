"""Finds the message because of which a broker ends connections without naming it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Final

Key = int | str
"""An event by its number in the outbox, a state by its topic."""

ENDINGS: Final = 5
"""A message is the cause after this many connections that ended while only it was in flight."""
TOPIC_FOR_S: Final = 3600.0
_COUNTED_MAX: Final = 1000


class Suspects:
    """The messages that were in flight when a broker ended a connection.

    While there are any (:attr:`open`), messages are to be sent one at a time: those that the broker acknowledges are
    cleared. A message is the cause once ``endings`` connections have ended while only it was in flight, and the broker
    has acknowledged others. A topic is a cause for ``topic_for_s`` seconds: its later messages may be ones that the
    broker takes.
    """

    def __init__(
        self,
        *,
        endings: int = ENDINGS,
        topic_for_s: float = TOPIC_FOR_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_endings = endings
        self._topic_for_s = topic_for_s
        self._clock_s = clock_s
        self._open: set[Key] = set()
        self._endings: dict[Key, int] = {}
        self._causes: dict[Key, float] = {}  # when each was found
        self._others_delivered = False

    @property
    def open(self) -> Collection[Key]:
        """The messages of which it is not known yet whether the broker takes them."""
        return self._open

    def is_cause(self, key: Key) -> bool:
        """Return whether the broker ends connections because of this message or topic."""
        found_s = self._causes.get(key)
        return found_s is not None and (isinstance(key, int) or self._clock_s() - found_s < self._topic_for_s)

    def connection_ended(self, in_flight: Collection[Key]) -> None:
        """Record that the broker ended a connection while these messages were in flight."""
        if not self._open:
            self._others_delivered = False
            self._open.update(in_flight)
        elif len(in_flight) == 1:
            (key,) = in_flight
            self._open.add(key)
            if self._others_delivered:
                self.count_ending(key)

    def count_ending(self, key: Key) -> None:
        """Record that a connection ended, or had to be ended, because of this message alone."""
        if len(self._endings) >= _COUNTED_MAX:
            self._endings.clear()
        count = self._endings[key] = self._endings.get(key, 0) + 1
        if count >= self._max_endings:
            self._causes[key] = self._clock_s()
            self._open.discard(key)
            del self._endings[key]

    def delivered(self, key: Key) -> None:
        """Record that the broker has acknowledged this message."""
        self._others_delivered = True
        self._open.discard(key)
        self._endings.pop(key, None)

    def set_aside(self, key: Key) -> None:
        """Forget about a message that is not sent any more."""
        self._causes.pop(key, None)
        self._open.discard(key)

    def connection_lasts(self) -> None:
        """Record that the connection has lasted: nothing that was sent through it is the cause."""
        self._open.clear()
