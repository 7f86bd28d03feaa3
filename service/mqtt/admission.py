"""The last check of a message, immediately before it is sent: whether it may be sent, or what instead."""

from __future__ import annotations

from collections.abc import Callable

from service.mqtt.messages import OutgoingMessage

Admission = Callable[[OutgoingMessage, int | None], OutgoingMessage | None]
"""Takes a message that is about to be sent, and ``time.monotonic_ns()`` when it was put into the outbox (``None`` if that
was in an earlier run of the daemon). Returns what to send in its place; ``None`` for nothing."""


def admit_all(message: OutgoingMessage, put_ns: int | None) -> OutgoingMessage:
    """Return ``message``: everything is sent."""
    del put_ns
    return message
