"""Messages for outboxes of tests, and what waits in one."""

from __future__ import annotations

from service.mqtt.channels import DeliveryPolicy
from service.mqtt.messages import OutgoingMessage
from service.mqtt.outbox import Outbox


def numbered(number: int) -> OutgoingMessage:
    return OutgoingMessage(
        f"stinger/b{number % 3}/shot", b"%d" % number, 1, retain=False, delivery=DeliveryPolicy.EVERY
    )


def contents(outbox: Outbox) -> list[bytes]:
    """Everything that waits, in order, left as it was."""
    taken = []
    while (entry := outbox.take()) is not None:
        taken.append(entry.message.payload)
    outbox.requeue()
    return taken
