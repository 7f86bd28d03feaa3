"""Commands over the link to a broker: who is answered, where, and what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from service.mqtt.commands import Command
from service.mqtt.outbox import Outbox
from tests.helpers.brokers import Mosquitto, subscriber, until
from tests.service.mqtt.broker_links import ANSWERS, STATUS, execute, make_link
from tests.service.mqtt.conftest import running


async def test_a_command_is_answered_on_its_response_topic_with_its_correlation_data(
    mosquitto: Mosquitto, outbox: Outbox
) -> None:
    async with running(make_link(mosquitto.port, outbox, on_command=execute)) as link:
        await until(lambda: link.connected)
        async with subscriber(mosquitto.port, ANSWERS, protocol=aiomqtt.ProtocolVersion.V5) as heard:
            assert heard.client is not None
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it so
            properties.ResponseTopic = ANSWERS
            properties.CorrelationData = b"\x01\x02"
            await heard.client.publish(
                "stinger/b1/command/set_threshold", b'{"threshold":0.6,"id":"x"}', 1, properties=properties
            )
            await heard.until(lambda: len(heard.messages) == 1)
            (message,) = heard.messages
            assert json.loads(message.payload) == {
                "ok": True,
                "command": "set_threshold",
                "device": "b1",
                "id": "x",
                "result": {"threshold": 0.6},
            }
            received: Any = message.properties
            assert received.CorrelationData == b"\x01\x02"


@pytest.mark.parametrize(
    "topic",
    [
        "homeassistant/device/stinger_b1/config",
        "stinger/b2/shot",
        "stinger/daemon/status",
        "stinger/daemon/response",
        "stinger/daemon/response/",
        "stinger/b1/response/desk",
        "Stinger/daemon/response/desk",
        "answers",
        "stinger/daemon/responses/\N{SNOWMAN}",
    ],
)
async def test_a_command_cannot_have_the_daemon_write_outside_of_its_responses(
    mosquitto: Mosquitto, outbox: Outbox, topic: str
) -> None:
    command = "stinger/b1/command/set_threshold"
    async with running(make_link(mosquitto.port, outbox, on_command=execute)) as link:
        await until(lambda: link.connected)
        async with subscriber(mosquitto.port, "#", protocol=aiomqtt.ProtocolVersion.V5) as heard:
            assert heard.client is not None
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it so
            properties.ResponseTopic = topic
            await heard.client.publish(command, b'{"threshold":0.6}', 1, properties=properties)
            await heard.until(lambda: len(heard.on(f"{command}/response")) == 1)
            await asyncio.sleep(0.1)
            assert {message.topic.value for message in heard.messages} - {STATUS} == {command, f"{command}/response"}


@pytest.mark.parametrize(
    ("topic", "payload", "error"),
    [
        ("stinger/b1/command/set_threshold", b'{"threshold":2}', "threshold: expected a number from 0.05 to 0.95"),
        ("stinger/nobody/command/set_threshold", b'{"threshold":0.5}', "no device 'nobody'"),
        ("stinger/daemon/command/fire", b"", "no command 'fire'"),
        ("stinger/b1/command/note", b"{", "not JSON"),
        ("stinger/b1/command/start_recording", b"", "internal error"),
    ],
)
async def test_a_command_that_cannot_be_carried_out_is_answered_with_the_reason(
    mosquitto: Mosquitto, outbox: Outbox, topic: str, payload: bytes, error: str
) -> None:
    async with (
        running(make_link(mosquitto.port, outbox, on_command=execute)) as link,
        subscriber(mosquitto.port, f"{topic}/response") as heard,
    ):
        await until(lambda: link.connected)
        assert heard.client is not None
        await heard.client.publish(topic, payload, 1)
        await heard.until(lambda: len(heard.messages) == 1)
        response = json.loads(heard.messages[0].payload)
        assert response["ok"] is False
        assert response["error"].startswith(error)
        assert link.connected


async def test_a_retained_command_is_ignored(mosquitto: Mosquitto, outbox: Outbox) -> None:
    executed: list[Command] = []

    async def remember(command: Command) -> Mapping[str, Any]:
        executed.append(command)
        return {}

    async with subscriber(mosquitto.port, "stinger/daemon/command/#") as heard:
        assert heard.client is not None
        await heard.client.publish("stinger/daemon/command/note", b'{"text":"old"}', 1, retain=True)
        async with running(make_link(mosquitto.port, outbox, on_command=remember)) as link:
            await until(lambda: link.connected)
            await heard.client.publish("stinger/daemon/command/note", b'{"text":"new"}', 1)
            await heard.until(lambda: bool(heard.on("stinger/daemon/command/note/response")))
    assert [getattr(command, "text", None) for command in executed] == ["new"]
