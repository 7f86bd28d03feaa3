"""How much the publisher has in flight."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from service.mqtt.broker_limits import BrokerLimits
from service.mqtt.connection import PublishingConnection, RefusedHandler
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


async def test_messages_are_admitted_immediately_before_they_are_sent(outbox: Outbox) -> None:
    def admit(message: OutgoingMessage, put_ns: int | None) -> OutgoingMessage | None:
        asked.append(put_ns)
        return None if message.topic.startswith("stinger/b/") else replace(message, retain=False)

    asked: list[int | None] = []
    connection, publisher = Connection(20), Publisher(outbox, admit=admit)
    before_ns = time.monotonic_ns()
    for device in ("a", "b"):
        publisher.put(event_message(shot(device=device)))
        publisher.put(link_message(link_report(device=device), NOW_S))
    assert asked == []
    publishing = asyncio.create_task(publisher.publish_through(cast(PublishingConnection, cast(Any, connection))))
    await until(lambda: len(connection.in_flight) == 2)
    assert [(sent.topic, sent.retain) for sent, _ in connection.in_flight] == [
        ("stinger/a/shot", False),
        ("stinger/a/link", False),
    ]
    assert len(asked) == 4
    assert all(put_ns is not None and put_ns >= before_ns for put_ns in asked)
    assert outbox.depth == 1
    publishing.cancel()
    await asyncio.wait({publishing})


async def test_withdrawn_states_are_not_announced_again(outbox: Outbox) -> None:
    publisher, topics = Publisher(outbox), [f"stinger/{name}/link" for name in "ab"]
    for name in "ab":
        publisher.put(link_message(link_report(device=name), NOW_S))
    publisher.withdraw(topics[:1])
    assert [publisher.has_retained(topic) for topic in topics] == [False, True]
