"""What a broker announces that it takes, and what it turns out not to take although it announced nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from service.mqtt import reason_codes

_LOWEST_RATE_PER_S: Final = 1.0
_RECEIVE_MAXIMUM_TRIED: Final = 18
"""Messages that are in flight at most, whatever the broker announces: the first guess at a lower maximum is half of
it."""


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """What a broker announced in its CONNACK, or else MQTT's defaults; MQTT 3.1.1 announces nothing."""

    receive_maximum: int = 65_535
    """How many publishes at QoS 1 it takes before it has acknowledged the first."""
    maximum_packet_bytes: int | None = None
    """The longest packet that it accepts; ``None`` for no limit, and on a connection that only receives."""
    maximum_qos: int = 2
    retain_available: bool = True
    server_keep_alive_s: int | None = None
    """The keep alive to use instead of ours, in seconds; 0 is none."""
    assigned_identifier: str | None = None
    """The client identifier that the broker chose in place of ours."""
    wildcards_available: bool = True
    """Whether it takes subscriptions with ``+`` and ``#``."""
    messages_per_s: float | None = None
    """How many messages a second it takes. MQTT has no announcement for it: it can only be learned."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a broker ended a connection that it had accepted."""

    code: int | None
    """The reason code of its DISCONNECT; ``None`` if it closed the connection without one."""
    longest_unanswered_bytes: int = 0
    """The longest packet that it had not answered; 0 if it had answered all."""
    longest_answered_bytes: int = 0
    messages_in_last_second: int = 0
    """How many messages were sent to it in the second before."""


class LearnedLimits:
    """Limits that a broker did not announce, concluded from the reason codes with which it ended connections."""

    def __init__(self) -> None:
        self._receive_maximum: int | None = None
        self._maximum_packet_bytes: int | None = None
        self._messages_per_s: float | None = None
        self._longest_answered_bytes = 0
        self._lacks: set[int] = set()

    def narrow(self, announced: BrokerLimits) -> BrokerLimits:
        """Return the limits to keep: what the broker ``announced``, and what was learned."""
        return replace(
            announced,
            receive_maximum=min(announced.receive_maximum, self._receive_maximum or announced.receive_maximum),
            maximum_packet_bytes=_smaller(announced.maximum_packet_bytes, self._maximum_packet_bytes),
            maximum_qos=0 if reason_codes.QOS_NOT_SUPPORTED in self._lacks else announced.maximum_qos,
            retain_available=announced.retain_available and reason_codes.RETAIN_NOT_SUPPORTED not in self._lacks,
            wildcards_available=announced.wildcards_available
            and reason_codes.WILDCARDS_NOT_SUPPORTED not in self._lacks,
            messages_per_s=self._messages_per_s,
        )

    def learn(self, ending: Ending, kept: BrokerLimits) -> str:
        """Learn from the ``ending`` of a connection on which the limits ``kept`` were kept.

        Returns what follows from it, as text for a person; an empty text if there is nothing new to learn.
        """
        found = ""
        self._longest_answered_bytes = max(self._longest_answered_bytes, ending.longest_answered_bytes)
        match ending.code:
            # A limit below what the broker has answered would be wrong.
            case reason_codes.PACKET_TOO_LARGE if ending.longest_unanswered_bytes > self._longest_answered_bytes:
                self._maximum_packet_bytes = ending.longest_unanswered_bytes - 1
                found = f"it takes no packet of {ending.longest_unanswered_bytes} bytes: such messages are dropped"
            case reason_codes.RECEIVE_MAXIMUM_EXCEEDED if kept.receive_maximum > 1:
                tried = min(kept.receive_maximum, _RECEIVE_MAXIMUM_TRIED)
                self._receive_maximum = tried // 2
                found = f"it takes fewer than {tried} messages at once: {self._receive_maximum} are sent"
            case reason_codes.MESSAGE_RATE_TOO_HIGH:
                tried_per_s = min(ending.messages_in_last_second, kept.messages_per_s or math.inf)
                if tried_per_s > _LOWEST_RATE_PER_S:
                    self._messages_per_s = max(_LOWEST_RATE_PER_S, tried_per_s / 2)
                    found = f"it does not take {tried_per_s:.0f} messages a second: {self._messages_per_s:.0f} are sent"
            case reason_codes.QOS_NOT_SUPPORTED if kept.maximum_qos > 0:
                found = "it takes QoS 0 only"
            case reason_codes.RETAIN_NOT_SUPPORTED if kept.retain_available:
                found = "it retains no messages"
            case reason_codes.WILDCARDS_NOT_SUPPORTED if kept.wildcards_available:
                found = "it takes no wildcards in subscriptions"
        if found and ending.code is not None:
            self._lacks.add(ending.code)
        return found


def _smaller(one: int | None, other: int | None) -> int | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)
