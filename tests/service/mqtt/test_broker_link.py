"""The link against a real mosquitto: delivery, retained states, reconnects, commands."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from service.mqtt.broker_link import BrokerLink
from service.mqtt.broker_state import BrokerState
from service.mqtt.discovery import discovery_message
from service.mqtt.messages import event_message, telemetry_message
from service.mqtt.outbox import Outbox
from stinger.device_name import DeviceName
from tests.helpers.brokers import Mosquitto, protocol_level, scripted_broker, subscriber, until
from tests.helpers.events import one_message_of_each_kind, shot, telemetry
from tests.helpers.patience import PATIENCE_S
from tests.service.mqtt.broker_links import SHOT, STATUS, make_link, state
from tests.service.mqtt.conftest import running


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
