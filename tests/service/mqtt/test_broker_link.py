"""The link against a real mosquitto: delivery, retained states, reconnects, commands."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from service.base.source import LinkState
from service.config.broker_address import BrokerAddress
from service.mqtt.broker_link import BrokerLink
from service.mqtt.broker_state import BrokerState
from service.mqtt.commands import Command, SetThreshold
from service.mqtt.discovery import discovery_message
from service.mqtt.messages import event_message, link_message, telemetry_message
from service.mqtt.outbox import Outbox
from stinger.device_name import DeviceName
from stinger.errors import InputError
from tests.helpers.brokers import Heard, Mosquitto, free_port, protocol_level, relay, scripted_broker, subscriber, until
from tests.helpers.events import NOW_S, link_report, one_message_of_each_kind, shot, spin_up, telemetry
from tests.helpers.patience import PATIENCE_S
from tests.service.mqtt.conftest import running

STATUS = "stinger/daemon/status"
SHOT = "stinger/b1/shot"
ANSWERS = "stinger/daemon/response/desk"


def make_link(port: int, outbox: Outbox, **more: Any) -> BrokerLink:
    return BrokerLink(BrokerAddress("127.0.0.1", port), outbox, version="1", **more)


@asynccontextmanager
async def lasting_subscriber(port: int) -> AsyncIterator[Heard]:
    """A subscriber whose subscription and messages the broker keeps while it is away."""
    async with subscriber(port, SHOT, identifier="lasting") as heard:
        yield heard


def ids(messages: list[aiomqtt.Message]) -> list[str]:
    return [json.loads(message.payload)["id"] for message in messages]


def state(message: aiomqtt.Message) -> str:
    value: str = json.loads(message.payload)["state"]
    return value


async def test_every_kind_of_message_arrives_as_it_was_made(mosquitto: Mosquitto, outbox: Outbox) -> None:
    sent = one_message_of_each_kind()
    async with subscriber(mosquitto.port) as heard, running(make_link(mosquitto.port, outbox)) as link:
        # A live message is dropped unless publishing has begun, which the first status shows.
        await heard.until(lambda: bool(heard.on(sent["status"].topic)))
        del sent["status"]
        for message in sent.values():
            link.publisher.put(message)
        await heard.until(lambda: {m.topic.value for m in heard.messages} >= {m.topic for m in sent.values()})
        for message in sent.values():
            (arrived,) = heard.on(message.topic)
            assert (arrived.payload, arrived.qos) == (message.payload, message.qos)
        await until(lambda: link.depth == 0)
    assert link.protocol == "5"


async def test_a_later_subscriber_receives_retained_states_but_no_events(mosquitto: Mosquitto, outbox: Outbox) -> None:
    async with running(make_link(mosquitto.port, outbox)) as link:
        for message in one_message_of_each_kind().values():
            link.publisher.put(message)
        await until(lambda: link.connected)
        await link.publisher.drain(PATIENCE_S)
        async with subscriber(mosquitto.port) as heard:
            topics = {"stinger/b1/spinup", "stinger/b1/link", "stinger/b1/model", STATUS}
            topics |= {"homeassistant/device/stinger_b1/config"}
            await heard.until(lambda: {m.topic.value for m in heard.messages} >= topics)
            await asyncio.sleep(0.05)
            assert {m.topic.value for m in heard.messages} == topics


async def test_status_is_online_while_connected_and_offline_after_a_stop(mosquitto: Mosquitto, outbox: Outbox) -> None:
    async with subscriber(mosquitto.port, STATUS) as heard:
        async with running(make_link(mosquitto.port, outbox)):
            await heard.until(lambda: len(heard.messages) == 1)
        await heard.until(lambda: len(heard.messages) == 2)
        assert [state(m) for m in heard.messages] == ["online", "offline"]
        assert json.loads(heard.messages[1].payload)["reason"] == "stopped"


async def test_status_is_offline_after_the_link_was_cancelled(mosquitto: Mosquitto, outbox: Outbox) -> None:
    async with subscriber(mosquitto.port, STATUS) as heard:
        link = make_link(mosquitto.port, outbox)
        task = asyncio.create_task(link.run())
        await until(lambda: link.connected)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await heard.until(lambda: bool(heard.messages) and state(heard.messages[-1]) == "offline")


async def test_an_alarm_is_published_in_the_status_until_it_ends(mosquitto: Mosquitto, outbox: Outbox) -> None:
    async with subscriber(mosquitto.port, STATUS) as heard, running(make_link(mosquitto.port, outbox)) as link:
        await until(lambda: link.connected)
        link.set_alarms({"recorder": "disk full"})
        await heard.until(lambda: bool(heard.messages) and b"disk full" in heard.messages[-1].payload)
        link.set_alarms({})
        await heard.until(lambda: b"disk full" not in heard.messages[-1].payload)


async def test_messages_put_before_the_broker_could_be_reached_arrive_in_order(
    mosquitto: Mosquitto, outbox: Outbox
) -> None:
    port = free_port()
    events = [shot(device_ms=n) for n in range(100)]
    async with running(make_link(port, outbox)) as link:
        for event in events:
            link.publisher.put(event_message(event))
        await asyncio.sleep(0.1)
        async with subscriber(mosquitto.port, SHOT) as heard, relay(mosquitto.port, port=port):
            await heard.until(lambda: len(heard.messages) >= 100)
            assert ids(heard.messages) == [event.id for event in events]


async def test_no_event_is_lost_while_the_broker_is_stopped_and_started(tmp_path: Path, outbox: Outbox) -> None:
    # It keeps what it has acknowledged over a stop, for a subscriber that is known to it.
    keeping = f"allow_anonymous true\npersistence true\npersistence_location {tmp_path}/\nmax_queued_messages 0"
    broker = Mosquitto(tmp_path / "keeping", keeping)
    broker.start()
    sent: list[str] = []
    heard_ids: list[str] = []
    try:
        async with running(make_link(broker.port, outbox)) as link:
            for _ in range(3):
                async with lasting_subscriber(broker.port) as heard:
                    await until(lambda: link.connected)
                    for n in range(100):
                        event = shot(device_ms=n)
                        sent.append(event.id)
                        link.publisher.put(event_message(event))
                        if n == 50:
                            await heard.until(lambda: len(heard.messages) >= 20)
                            broker.stop()
                    await until(lambda: heard.ended and not link.connected)
                    heard_ids += ids(heard.messages)
                broker.start()
            async with lasting_subscriber(broker.port) as heard:
                await until(lambda: link.connected and link.depth == 0)
                missing = set(sent) - set(heard_ids)
                await heard.until(lambda: missing <= set(ids(heard.messages)))
                assert link.reconnects == 3
    finally:
        broker.kill()


async def test_events_that_a_killed_broker_did_not_acknowledge_are_sent_again(
    mosquitto: Mosquitto, outbox: Outbox
) -> None:
    port = free_port()
    events = [shot(device_ms=n) for n in range(50)]
    async with running(make_link(port, outbox)) as link:
        async with relay(mosquitto.port, port=port):
            await until(lambda: link.connected)
            mosquitto.kill()
            for event in events:
                link.publisher.put(event_message(event))
            await until(lambda: not link.connected)
        mosquitto.start()
        async with subscriber(mosquitto.port, SHOT) as heard, relay(mosquitto.port, port=port):
            await heard.until(lambda: len(heard.messages) == 50)
            assert ids(heard.messages) == [event.id for event in events]


async def test_after_a_reconnect_states_are_published_again_and_only_the_newest_telemetry(
    mosquitto: Mosquitto, outbox: Outbox
) -> None:
    async with running(make_link(mosquitto.port, outbox)) as link:
        await until(lambda: link.connected)
        link.publisher.put(link_message(link_report(), NOW_S))
        link.publisher.put(event_message(spin_up(on=False)))
        await until(lambda: link.depth == 0)
        mosquitto.kill()
        await until(lambda: not link.connected)
        for n in range(10):
            link.publisher.put(telemetry_message(telemetry(probability=n / 10)))
        link.publisher.put(link_message(link_report(state=LinkState.SILENT), NOW_S))
        mosquitto.start()
        async with subscriber(mosquitto.port) as heard:
            expected = {"stinger/b1/link", "stinger/b1/spinup", STATUS}
            await heard.until(lambda: {m.topic.value for m in heard.messages} >= expected)
            assert state(heard.on("stinger/b1/link")[-1]) == "silent"
            assert len(heard.on("stinger/b1/spinup")) == 1
            assert state(heard.on(STATUS)[-1]) == "online"
            for message in heard.on("stinger/b1/telemetry"):
                assert json.loads(message.payload)["probability"] == 0.9


async def test_a_stop_without_a_broker_is_quick_and_keeps_what_was_not_delivered(tmp_path: Path) -> None:
    port = free_port()
    with Outbox(tmp_path / "outbox.db") as outbox:
        link = make_link(port, outbox)
        task = asyncio.create_task(link.run())
        link.publisher.put(event_message(shot()))
        await asyncio.sleep(0.05)
        link.stop(60.0)
        async with asyncio.timeout(PATIENCE_S):
            await task
    with Outbox(tmp_path / "outbox.db") as outbox:
        assert outbox.depth == 1


async def test_a_stop_first_delivers_what_waits(mosquitto: Mosquitto, outbox: Outbox) -> None:
    async with subscriber(mosquitto.port, SHOT) as heard:
        async with running(make_link(mosquitto.port, outbox)) as link:
            await until(lambda: link.connected)
            for _ in range(200):
                link.publisher.put(event_message(shot()))
        await heard.until(lambda: len(heard.messages) == 200)
        assert outbox.depth == 0


async def test_time_to_the_acknowledgement_is_reported(mosquitto: Mosquitto, outbox: Outbox) -> None:
    took: list[float] = []
    async with running(make_link(mosquitto.port, outbox, on_acknowledged=took.append)) as link:
        await until(lambda: link.connected)
        link.publisher.put(event_message(shot()))
        await until(lambda: len(took) == 1)
    assert 0 < took[0] < PATIENCE_S


async def execute(command: Command) -> Mapping[str, Any]:
    if isinstance(command, SetThreshold):
        if command.device == "nobody":
            raise InputError("no device 'nobody'")
        return {"threshold": command.threshold}
    raise RuntimeError("a fault of ours")


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


async def test_a_message_can_be_published_while_another_is_being_acknowledged(
    mosquitto: Mosquitto, outbox: Outbox
) -> None:
    link: BrokerLink = make_link(
        mosquitto.port, outbox, on_acknowledged=lambda _: link.publisher.put(telemetry_message(telemetry("b1")))
    )
    async with subscriber(mosquitto.port, "stinger/+/telemetry") as heard, running(link):
        await until(lambda: link.connected)
        link.publisher.put(event_message(shot()))
        await heard.until(lambda: bool(heard.messages))


async def test_a_long_backlog_does_not_delay_states(mosquitto: Mosquitto, outbox: Outbox) -> None:
    for n in range(2000):
        outbox.put(event_message(shot(device_ms=n)))
    async with subscriber(mosquitto.port) as heard, running(make_link(mosquitto.port, outbox)):
        await heard.until(lambda: bool(heard.on(STATUS)))
        assert len(heard.on(SHOT)) < 200
        await heard.until(lambda: len(heard.messages) >= 2001)
        assert len(heard.on(SHOT)) == 2000


async def test_discovery_is_published_again_when_home_assistant_starts(mosquitto: Mosquitto, outbox: Outbox) -> None:
    message = discovery_message(DeviceName("b1"), "1")
    async with (
        subscriber(mosquitto.port, "homeassistant/device/#") as heard,
        running(make_link(mosquitto.port, outbox, home_assistant=True)) as link,
    ):
        await until(lambda: link.connected)
        link.publisher.put(message)
        await heard.until(lambda: len(heard.messages) == 1)
        assert heard.client is not None
        await heard.client.publish("homeassistant/status", b"online", 1)
        await heard.until(lambda: len(heard.messages) == 2)
        assert heard.messages[1].payload == message.payload


async def test_the_state_follows_the_connection_from_start_to_stop(mosquitto: Mosquitto, outbox: Outbox) -> None:
    link = make_link(mosquitto.port, outbox)

    def in_state(expected: BrokerState) -> bool:
        return link.state is expected and link.connected is (expected is BrokerState.CONNECTED)

    assert in_state(BrokerState.STOPPED)
    task = asyncio.create_task(link.run())
    await until(lambda: in_state(BrokerState.CONNECTED))
    mosquitto.kill()
    await until(lambda: in_state(BrokerState.WAITING))
    link.stop(1.0)
    assert in_state(BrokerState.STOPPING)
    async with asyncio.timeout(PATIENCE_S):
        await task
    assert in_state(BrokerState.STOPPED)


async def test_a_silent_broker_leaves_the_link_connecting(outbox: Outbox) -> None:
    async with scripted_broker() as (port, received), running(make_link(port, outbox), within_s=0.1) as link:
        await until(lambda: bool(received))
        assert link.state is BrokerState.CONNECTING


async def test_reasons_that_alternate_between_versions_are_warned_of_once_each(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    bad_version, not_authorized = b"\x20\x02\x00\x01", b"\x20\x02\x00\x05"
    connects: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connects.append(await reader.read(1000))
        writer.write(bad_version if protocol_level(connects[-1]) == 5 else not_authorized)
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server, running(make_link(server.sockets[0].getsockname()[1], outbox)):
        await until(lambda: len(connects) >= 4)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "Unsupported protocol version (0x84)" in warnings[0]
    assert "Not authorized (0x87)" in warnings[1]
