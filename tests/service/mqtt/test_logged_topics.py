"""Topics in the log are those at the broker, also below another topic root."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from service.config.broker_address import BrokerAddress
from service.config.topic_root import parse_topic_root
from service.mqtt.broker_link import BrokerLink
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.command_queue import CommandQueue
from service.mqtt.commands import Command
from service.mqtt.connection import IncomingMessage, PublishingConnection
from service.mqtt.errors import MqttError
from service.mqtt.messages import OutgoingMessage, event_message, link_message
from service.mqtt.outbox import Outbox
from service.sources.mqtt_devices import MqttDevices, ReceivedMessage
from stinger.device_name import DeviceName
from tests.helpers.brokers import until
from tests.helpers.events import NOW_S, link_report, shot
from tests.helpers.patience import PATIENCE_S
from tests.helpers.strict_broker import Limits, strict_broker
from tests.service.mqtt.conftest import running

ROOT = parse_topic_root("halls/east")


async def on_command(_command: Command) -> Mapping[str, Any]:
    return {}


def topics(caplog: pytest.LogCaptureFixture) -> set[str]:
    return set(re.findall(r"topic=(\S+)", "\n".join(record.getMessage() for record in caplog.records)))


class NoConnection:
    def __init__(self) -> None:
        self.delivered: list[OutgoingMessage] = []

    async def deliver(self, message: OutgoingMessage, **_: object) -> None:
        self.delivered.append(message)
        raise MqttError("lost")


async def test_a_link_logs_refusals_with_the_topics_at_the_broker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(maximum_packet_bytes=600)
    with Outbox(tmp_path / "outbox.db", root=ROOT) as outbox:
        async with strict_broker(limits) as broker:
            broker.puback = lambda topic: 0x87 if topic.endswith("/shot") else 0
            broker.suback = lambda _name: 0x87
            link = BrokerLink(
                BrokerAddress("127.0.0.1", broker.port),
                outbox,
                version="1",
                on_command=on_command,
                served=lambda: {DeviceName("b1")},
                root=ROOT,
            )
            async with running(link):
                link.publisher.put(event_message(shot()))
                link.publisher.put(link_message(link_report(), NOW_S))
                link.publisher.put(
                    OutgoingMessage("stinger/b1/long", bytes(900), 1, retain=False, delivery=DeliveryPolicy.EVERY)
                )
                await until(lambda: link.connected and link.depth == 0)
    assert topics(caplog) >= {"halls/east/b1/shot", "halls/east/b1/long", "halls/east/+/command/+"}
    assert not [topic for topic in topics(caplog) if topic.startswith("stinger")]


@pytest.mark.parametrize(
    ("asked", "logged"), [("homeassistant/x", "homeassistant/x"), ("stinger/b1/x", "halls/east/b1/x"), ("", "another")]
)
async def test_a_refused_response_topic_is_logged_with_what_is_allowed(
    caplog: pytest.LogCaptureFixture, asked: str, logged: str
) -> None:
    caplog.set_level(logging.DEBUG)
    queue = CommandQueue(on_command, root=ROOT)
    queue.put(IncomingMessage("stinger/b1/command/forget", b"{}", retain=False, response_topic=asked))
    with pytest.raises(MqttError):
        async with asyncio.timeout(PATIENCE_S):
            await queue.serve(cast(PublishingConnection, cast(Any, NoConnection())))
    (line,) = [record.getMessage() for record in caplog.records if "response_topic_refused" in record.getMessage()]
    assert 'reason="not below halls/east/daemon/response/"' in line
    assert "topic=halls/east/b1/command/forget" in line
    assert logged in line.partition("response_topic=")[2]


def test_a_message_of_no_device_is_logged_with_the_topic_at_the_broker(caplog: pytest.LogCaptureFixture) -> None:
    message = ReceivedMessage("stinger/no name/samples", b"", 1)
    assert MqttDevices("stinger", 2.0, None, ROOT).receive(message, cast(Any, None)) == []
    assert "halls/east/no name/samples" in caplog.text
