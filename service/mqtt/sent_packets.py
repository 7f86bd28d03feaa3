"""The packets of one connection that the broker has not answered yet, and how long they are."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from service.mqtt.broker_limits import Ending

_TIMES_KEPT: Final = 5000


class SentPackets:
    """Keeps the lengths of packets until they are answered, to conclude from how the broker ends the connection.

    A broker reads packets in order: when it answers one, it has read those before it, also those at QoS 0.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._position = 0
        self._unanswered: dict[int, tuple[int, int]] = {}  # position and length, by packet identifier
        self._unconfirmed = (0, 0)  # position and length of the longest at QoS 0
        self._longest_answered = 0
        self._messages_s: deque[float] = deque(maxlen=_TIMES_KEPT)

    def add_message(self, size: int, packet_id: int | None) -> None:
        """Record a PUBLISH of ``size`` bytes; ``packet_id`` is ``None`` at QoS 0."""
        self._messages_s.append(self._clock_s())
        self._add(size, packet_id)

    def add_subscription(self, size: int, packet_id: int) -> None:
        """Record a SUBSCRIBE or UNSUBSCRIBE of ``size`` bytes."""
        self._add(size, packet_id)

    def answered(self, packet_id: int) -> None:
        """Record that the broker has answered the packet ``packet_id``."""
        position, size = self._unanswered.pop(packet_id, (0, 0))
        self._longest_answered = max(self._longest_answered, size)
        if position > self._unconfirmed[0]:
            self._longest_answered = max(self._longest_answered, self._unconfirmed[1])
            self._unconfirmed = (0, 0)

    def ending(self, code: int | None) -> Ending:
        """Return how the connection ended if the broker ends it now, with the reason ``code``."""
        since_s = self._clock_s() - 1.0
        return Ending(
            code,
            longest_unanswered_bytes=max((self._unconfirmed[1], *_sizes(self._unanswered.values()))),
            longest_answered_bytes=self._longest_answered,
            messages_in_last_second=sum(sent_s >= since_s for sent_s in self._messages_s),
        )

    def _add(self, size: int, packet_id: int | None) -> None:
        self._position += 1
        if packet_id is not None:
            self._unanswered[packet_id] = (self._position, size)
        elif size >= self._unconfirmed[1]:
            self._unconfirmed = (self._position, size)


def _sizes(packets: Iterable[tuple[int, int]]) -> Iterable[int]:
    return (size for _, size in packets)
