"""How much the publisher has in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from service.mqtt.connection import BrokerLimits, PublishingConnection, RefusedHandler
from service.mqtt.messages import OutgoingMessage, event_message, link_message
from service.mqtt.outbox import Outbox
from service.mqtt.publisher import Publisher
from tests.helpers.brokers import until
from tests.helpers.events import NOW_S, link_report, shot


class Connection:
    """Keeps what is published, and acknowledges when asked to."""

    congested = False

    def __init__(self, receive_maximum: int) -> None:
        self.limits = BrokerLimits(receive_maximum=receive_maximum)
        self.in_flight: list[tuple[OutgoingMessage, Callable[[], None]]] = []

    def publish(self, message: OutgoingMessage, acknowledged: Callable[[], None], _refused: RefusedHandler) -> None:
        self.in_flight.append((message, acknowledged))


@pytest.mark.parametrize(
    ("receive_maximum", "events", "total"),
    [(65_535, 12, 16), (20, 12, 16), (10, 4, 8), (5, 1, 3), (3, 1, 1), (1, 1, 1)],
)
async def test_no_more_is_in_flight_than_the_broker_takes_and_events_leave_room_for_states(
    outbox: Outbox, receive_maximum: int, events: int, total: int
) -> None:
    connection, publisher = Connection(receive_maximum), Publisher(outbox)
    for n in range(30):
        publisher.put(event_message(shot(device_ms=n)))
    publishing = asyncio.create_task(publisher.publish_through(cast(PublishingConnection, cast(Any, connection))))
    await until(lambda: bool(connection.in_flight))
    assert len(connection.in_flight) == events
    for n in range(30):
        publisher.put(link_message(link_report(device=f"b{n}"), NOW_S))
    assert len(connection.in_flight) == total
    most = 0
    while connection.in_flight:
        most = max(most, len(connection.in_flight))
        _, acknowledged = connection.in_flight.pop(0)
        acknowledged()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert most == total
    assert outbox.depth == 0
    publishing.cancel()
    await asyncio.wait({publishing})
