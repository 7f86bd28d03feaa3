"""Whether a message may still be sent, asked immediately before that."""

from __future__ import annotations

from collections.abc import Callable

from service.mqtt.messages import OutgoingMessage

Admission = Callable[[OutgoingMessage, int | None], OutgoingMessage | None]
"""Takes a message that is about to be sent, and for one of the outbox ``time.monotonic_ns()`` when it was put, ``None``
for one of an earlier run. Returns what to send instead, ``None`` for nothing."""


def admit_all(message: OutgoingMessage, put_ns: int | None) -> OutgoingMessage:
    """Return ``message``: everything is sent."""
    del put_ns
    return message
