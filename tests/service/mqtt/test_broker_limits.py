"""Everything that a broker announces in its CONNACK is honoured or reported, and what it refuses is counted."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from service.config.broker_address import BrokerAddress
from service.mqtt.broker_link import BrokerLink
from service.mqtt.broker_state import BrokerLinkTimes
from service.mqtt.channels import COMMANDS, DeliveryPolicy
from service.mqtt.commands import Command
from service.mqtt.connection_settings import ConnectionTimes
from service.mqtt.discovery import discovery_message
from service.mqtt.messages import OutgoingMessage, event_message, link_message
from service.mqtt.outbox import Outbox
from stinger.device_name import DeviceName
from tests.helpers.brokers import until
from tests.helpers.events import NOW_S, link_report, shot
from tests.helpers.strict_broker import EVERY_LIMIT, Limits, StrictBroker, strict_broker
from tests.service.mqtt.conftest import running

SHOT = "stinger/b1/shot"


def link_to(broker: StrictBroker, outbox: Outbox, **more: Any) -> BrokerLink:
    return BrokerLink(BrokerAddress("127.0.0.1", broker.port), outbox, version="1", **more)


def put_shots(link: BrokerLink, count: int, *, first: int = 0) -> list[str]:
    events = [shot(device_ms=first + n) for n in range(count)]
    for event in events:
        link.publisher.put(event_message(event))
    return [event.id for event in events]


def ids(broker: StrictBroker) -> list[str]:
    return [json.loads(payload)["id"] for payload in broker.payloads(SHOT)]


def warnings(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    return [r.getMessage() for r in caplog.records if event in r.getMessage() and r.levelno == logging.WARNING]


TIGHTEST_LIMITS = replace(EVERY_LIMIT, maximum_packet_bytes=600, maximum_qos=0, keep_alive_s=1)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(),
        Limits(receive_maximum=1),
        Limits(receive_maximum=10),
        Limits(maximum_packet_bytes=400),
        Limits(maximum_qos=0),
        Limits(maximum_qos=1),
        Limits(retain_available=False),
        Limits(keep_alive_s=1),
        Limits(assigned_identifier="chosen-by-the-broker"),
        Limits(topic_alias_maximum=10),
        Limits(wildcards_available=False),
        TIGHTEST_LIMITS,
    ],
    ids=str,
)
async def test_a_broker_with_limits_gets_every_event_also_across_its_restart(limits: Limits, outbox: Outbox) -> None:
    async def on_command(_command: Command) -> Mapping[str, Any]:
        return {}

    async with strict_broker(limits) as broker, running(link_to(broker, outbox, on_command=on_command)) as link:
        sent = put_shots(link, 40)
        link.publisher.put(link_message(link_report(), NOW_S))
        await until(lambda: link.connected and link.depth < 20)
        await broker.stop()
        sent += put_shots(link, 40, first=40)
        await broker.start()
        await until(lambda: link.connected and link.depth == 0)
        assert set(ids(broker)) == set(sent)
        assert broker.violations == []


async def test_a_message_longer_than_the_broker_accepts_is_dropped_named_once_and_counted(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    async with strict_broker(Limits(maximum_packet_bytes=2048)) as broker, running(link_to(broker, outbox)) as link:
        link.publisher.put(discovery_message(DeviceName("b1"), "1"))
        link.publisher.put(OutgoingMessage("long", bytes(4000), 1, retain=False, delivery=DeliveryPolicy.EVERY))
        sent = put_shots(link, 5)
        await until(lambda: link.connected and link.depth == 0)
        link.publisher.announce()
        sent += put_shots(link, 1, first=5)
        await until(lambda: link.depth == 0)
        assert set(ids(broker)) == set(sent)
        assert broker.violations == []
        assert link.publisher.problems.too_long >= 3
        assert outbox.set_aside_messages == 1
    named = warnings(caplog, "message_too_long")
    assert len(named) == 2
    assert "homeassistant/device/stinger_b1/config" in "".join(named)
    assert "at most 2048" in named[0]


@pytest.mark.parametrize("spare", [0, 1])
async def test_a_message_is_too_long_from_one_byte_above_the_limit(outbox: Outbox, spare: int) -> None:
    # Type, two bytes of length, two of the topic's length, topic, packet identifier, properties, payload.
    limit = 1 + 2 + 2 + 4 + 2 + 1 + 1000
    async with strict_broker(Limits(maximum_packet_bytes=limit)) as broker, running(link_to(broker, outbox)) as link:
        message = OutgoingMessage("long", bytes(1000 + spare), 1, retain=False, delivery=DeliveryPolicy.EVERY)
        link.publisher.put(message)
        await until(lambda: link.connected and link.depth == 0)
        assert (len(broker.payloads("long")), link.publisher.problems.too_long) == (1 - spare, spare)
        assert broker.violations == []


async def test_a_broker_without_retained_messages_is_reported_once(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    async with strict_broker(Limits(retain_available=False)) as broker, running(link_to(broker, outbox)) as link:
        link.publisher.put(link_message(link_report(), NOW_S))
        await until(lambda: bool(broker.payloads("stinger/b1/link")))
        await broker.stop()
        await broker.start()
        await until(lambda: link.connected and link.reconnects == 1)
        assert not any(one.retain for one in broker.published)
    assert len(warnings(caplog, "broker_limited")) == 1


async def test_a_short_keep_alive_of_the_broker_is_kept(outbox: Outbox) -> None:
    async with strict_broker(Limits(keep_alive_s=1)) as broker, running(link_to(broker, outbox)) as link:
        await until(lambda: link.connected)
        await asyncio.sleep(4)
        assert broker.violations == []
        assert link.reconnects == 0


async def test_the_identifier_that_a_broker_assigned_is_used_again(outbox: Outbox) -> None:
    async with strict_broker(Limits(assigned_identifier="theirs")) as broker, running(link_to(broker, outbox)) as link:
        await until(lambda: link.connected)
        await broker.stop()
        await broker.start()
        await until(lambda: link.reconnects == 1)
        assert broker.identifiers[-1] == "theirs"


async def test_a_broker_without_wildcards_still_delivers_commands_for_all_devices(outbox: Outbox) -> None:
    async def on_command(_command: Command) -> Mapping[str, Any]:
        return {}

    async with (
        strict_broker(Limits(wildcards_available=False)) as broker,
        running(link_to(broker, outbox, on_command=on_command)) as link,
    ):
        await until(lambda: link.connected)
        assert broker.subscribed == [f"stinger/daemon/command/{name}" for name in COMMANDS]


async def test_a_refused_subscription_is_logged_once_however_often_the_link_connects(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    async def on_command(_command: Command) -> Mapping[str, Any]:
        return {}

    async with strict_broker() as broker, running(link_to(broker, outbox, on_command=on_command)) as link:
        broker.suback = lambda _name: 0x87
        for reconnects in range(3):
            await until(lambda: link.connected and link.reconnects >= reconnects)  # noqa: B023 - awaited at once
            await broker.stop()
            await until(lambda: not link.connected)
            await broker.start()
    assert len(warnings(caplog, "broker_refused_subscription")) == 1


@pytest.mark.parametrize("code", [0x87, 0x90, 0x91, 0x99])
async def test_an_event_that_the_broker_refuses_is_set_aside_counted_and_logged_with_the_reason(
    outbox: Outbox, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    async with strict_broker() as broker, running(link_to(broker, outbox)) as link:
        broker.puback = lambda topic: code if topic == "stinger/b2/shot" else 0
        for _ in range(3):
            link.publisher.put(event_message(shot("b2")))
        sent = put_shots(link, 3)
        await until(lambda: link.connected and link.depth == 0)
        assert ids(broker) == sent
        assert (link.publisher.problems.refused, outbox.set_aside_messages, link.reconnects) == (3, 3, 0)
    (warning,) = warnings(caplog, "broker_refused_message")
    assert f"0x{code:02x}" in warning


@pytest.mark.parametrize("code", [0x80, 0x83, 0x97])
async def test_an_event_that_the_broker_refuses_for_now_is_sent_again_in_order(outbox: Outbox, code: int) -> None:
    async with strict_broker() as broker, running(link_to(broker, outbox)) as link:
        answers = [code, code]
        broker.puback = lambda topic: answers.pop() if topic == SHOT and answers else 0
        sent = put_shots(link, 1)
        await until(lambda: link.connected and link.depth == 0)
        assert ids(broker) == sent
        assert outbox.set_aside_messages == 0
        assert link.publisher.problems.refused == 2


async def test_an_event_that_the_broker_refuses_again_and_again_does_not_hold_up_the_others(outbox: Outbox) -> None:
    async with strict_broker() as broker, running(link_to(broker, outbox)) as link:
        broker.puback = lambda topic: 0x97 if topic == "stinger/b2/shot" else 0
        link.publisher.put(event_message(shot("b2")))
        sent = put_shots(link, 2)
        await until(lambda: link.connected and link.depth == 0)
        assert set(ids(broker)) == set(sent)
        assert outbox.set_aside_messages == 1


@pytest.mark.parametrize("code", [0x80, 0x87, 0x97, 0x99])
async def test_a_state_that_the_broker_refuses_does_not_hold_up_the_others(outbox: Outbox, code: int) -> None:
    async with strict_broker() as broker, running(link_to(broker, outbox)) as link:
        broker.puback = lambda topic: code if topic.endswith("/link") else 0
        link.publisher.put(link_message(link_report(), NOW_S))
        sent = put_shots(link, 3)
        await until(lambda: link.connected and link.depth == 0)
        assert ids(broker) == sent
        assert (link.reconnects, link.publisher.problems.refused) == (0, 1)


async def test_a_broker_that_acknowledges_twice_gets_every_event_once(outbox: Outbox) -> None:
    async with strict_broker() as broker, running(link_to(broker, outbox)) as link:
        broker.acknowledge_times = 2
        sent = put_shots(link, 100)
        await until(lambda: link.connected and link.depth == 0)
        assert ids(broker) == sent
        assert link.reconnects == 0


async def test_a_broker_that_falls_silent_is_given_up_and_its_successor_gets_every_event(outbox: Outbox) -> None:
    times = BrokerLinkTimes(stable_s=0.1)
    keepalive = ConnectionTimes(keepalive_s=1)
    async with (
        strict_broker() as broker,
        running(link_to(broker, outbox, times=times, connection_times=keepalive)) as link,
    ):
        await until(lambda: link.connected)
        broker.deaf = True
        sent = put_shots(link, 30)
        await until(lambda: not link.connected)
        broker.deaf = False
        await until(lambda: link.connected and link.depth == 0)
        assert set(sent) == set(ids(broker))
