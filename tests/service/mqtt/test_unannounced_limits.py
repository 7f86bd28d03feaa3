"""A broker that ends connections because of limits that it did not announce gets everything else."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import pytest

from service.config.broker_address import BrokerAddress
from service.mqtt.broker_link import BrokerLink
from service.mqtt.broker_state import BrokerLinkTimes
from service.mqtt.channels import COMMAND_FILTER, DeliveryPolicy
from service.mqtt.commands import Command
from service.mqtt.connection_settings import ConnectionTimes
from service.mqtt.discovery import discovery_message
from service.mqtt.messages import OutgoingMessage, event_message, link_message
from service.mqtt.outbox import Outbox
from stinger.device_name import DeviceName
from tests.helpers.brokers import scripted_broker, until
from tests.helpers.events import NOW_S, link_report, shot
from tests.helpers.strict_broker import CONNECT, PINGREQ, SUBSCRIBE, Limits, StrictBroker, strict_broker
from tests.service.mqtt.conftest import running

SHOT = "stinger/b1/shot"
LINK = "stinger/b1/link"


async def on_command(_command: Command) -> Mapping[str, Any]:
    return {}


def link_to(
    broker: StrictBroker, outbox: Outbox, times_s: Mapping[str, float] = MappingProxyType({}), **more: Any
) -> BrokerLink:
    times = BrokerLinkTimes(retry_longest_s=0.05, **times_s)
    return BrokerLink(BrokerAddress("127.0.0.1", broker.port), outbox, version="1", times=times, **more)


def put_shots(link: BrokerLink, count: int, device: str = "b1", *, first: int = 0) -> list[str]:
    events = [shot(device, device_ms=first + n) for n in range(count)]
    for event in events:
        link.publisher.put(event_message(event))
    return [event.id for event in events]


def ids(broker: StrictBroker, topic: str = SHOT) -> list[str]:
    return [json.loads(payload)["id"] for payload in broker.payloads(topic)]


def warnings(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    return [r.getMessage() for r in caplog.records if event in r.getMessage() and r.levelno == logging.WARNING]


@pytest.mark.parametrize(
    ("limits", "learned"),
    [
        (Limits(announced=False, receive_maximum=1), "at once"),
        (Limits(announced=False, receive_maximum=6), "at once"),
        (Limits(announced=False, maximum_qos=0), "QoS 0 only"),
        (Limits(announced=False, retain_available=False), "retains no messages"),
        (Limits(announced=False, wildcards_available=False), "no wildcards"),
        (
            Limits(
                announced=False, receive_maximum=4, maximum_qos=0, retain_available=False, wildcards_available=False
            ),
            "retains no messages",
        ),
    ],
    ids=str,
)
async def test_a_limit_that_is_not_announced_is_learned_from_the_reason_and_every_event_arrives(
    limits: Limits, learned: str, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    async with strict_broker(limits) as broker, running(link_to(broker, outbox, on_command=on_command)) as link:
        sent = put_shots(link, 40)
        link.publisher.put(link_message(link_report(), NOW_S))
        await until(lambda: link.connected and link.depth == 0 and bool(broker.payloads(LINK)))
        assert set(ids(broker)) == set(sent)
        assert outbox.set_aside_messages == 0
        violations = len(broker.violations)
        await broker.stop()
        await until(lambda: not link.connected)
        await broker.start()
        sent += put_shots(link, 40, first=40)
        await until(lambda: link.connected and link.depth == 0)
        assert set(ids(broker)) == set(sent)
        assert len(broker.violations) == violations
    assert learned in "".join(warnings(caplog, "broker_limit_learned"))


async def test_messages_too_long_for_an_unannounced_limit_are_dropped_and_the_rest_arrives(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(announced=False, maximum_packet_bytes=700)
    async with strict_broker(limits) as broker, running(link_to(broker, outbox)) as link:
        link.publisher.put(discovery_message(DeviceName("b1"), "1"))
        for size in (900, 2000):
            message = OutgoingMessage(f"long/{size}", bytes(size), 1, retain=False, delivery=DeliveryPolicy.EVERY)
            link.publisher.put(message)
        sent = put_shots(link, 30)
        await until(lambda: link.connected and link.depth == 0 and bool(broker.payloads("stinger/daemon/status")))
        assert set(ids(broker)) == set(sent)
        assert outbox.set_aside_messages == 2
        assert len(broker.violations) == 3
    assert "takes no packet of" in warnings(caplog, "broker_limit_learned")[0]


async def test_a_broker_that_takes_few_messages_a_second_gets_them_more_slowly(outbox: Outbox) -> None:
    async with strict_broker() as broker, running(link_to(broker, outbox)) as link:
        broker.messages_per_s = 15
        sent = put_shots(link, 30)
        await until(lambda: link.connected and link.depth == 0)
        assert set(ids(broker)) == set(sent)
        assert outbox.set_aside_messages == 0
        assert 1 <= len(broker.violations) <= 3


@pytest.mark.parametrize(("speaks", "code"), [(5, 0x97), (5, 0x9A), (5, 0x83), (5, 0x87), (5, 0), (4, 0)])
async def test_an_event_with_which_the_connection_ends_is_set_aside_and_the_others_arrive(
    outbox: Outbox, speaks: int, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with strict_broker() as broker, running(link_to(broker, outbox)) as link:
        broker.speaks = speaks
        broker.ends = lambda topic: code if topic == "stinger/b2/shot" else None
        sent = put_shots(link, 20)
        put_shots(link, 1, "b2")
        sent += put_shots(link, 20, first=20)
        await until(lambda: link.connected and link.depth == 0)
        assert set(ids(broker)) == set(sent)
        assert outbox.set_aside_messages == 1
    assert "stinger/b2/shot" in "".join(
        warnings(caplog, "broker_refused_message") + warnings(caplog, "message_too_long")
    )


@pytest.mark.parametrize(
    ("qos", "delivery"), [(1, DeliveryPolicy.LATEST), (0, DeliveryPolicy.LATEST), (0, DeliveryPolicy.LIVE)]
)
async def test_a_topic_with_which_the_connection_ends_is_not_sent_any_more(
    outbox: Outbox, qos: Literal[0, 1], delivery: DeliveryPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    async with strict_broker() as broker, running(link_to(broker, outbox)) as link:
        broker.ends = lambda topic: 0x87 if topic == "stinger/b1/telemetry" else None
        sent: list[str] = []
        while not warnings(caplog, "broker_refused_message"):
            link.publisher.put(OutgoingMessage("stinger/b1/telemetry", b"{}", qos, retain=False, delivery=delivery))
            sent += put_shots(link, 1, first=len(sent))
            await asyncio.sleep(0.02)
        await until(lambda: link.connected and link.depth == 0)
        assert set(ids(broker)) == set(sent)
        assert outbox.set_aside_messages == 0


async def test_restarts_of_the_broker_set_no_event_aside(outbox: Outbox) -> None:
    async with strict_broker() as broker, running(link_to(broker, outbox)) as link:
        broker.acknowledge_s = 5  # so that messages are in flight at each restart
        sent: list[str] = []
        for n in range(8):
            await until(lambda: link.connected)
            sent += put_shots(link, 1, first=n)
            await broker.stop()
            await until(lambda: not link.connected)
            await broker.start()
        broker.acknowledge_s = 0.0
        await until(lambda: link.connected and link.depth == 0)
        assert set(ids(broker)) == set(sent)
        assert outbox.set_aside_messages == 0


async def test_a_broker_that_ends_each_connection_raises_an_alarm_with_its_reason(outbox: Outbox) -> None:
    problems: list[str] = []
    async with (
        strict_broker() as broker,
        running(link_to(broker, outbox, {"stable_s": 0.5}, on_broker_problem=problems.append)) as link,
    ):
        broker.ends = lambda _topic: 0x97
        await until(lambda: bool(problems))
        assert problems[-1] == "the broker ends each connection: disconnected by the broker: Quota exceeded (0x97)"
        broker.ends = lambda _topic: None
        await until(lambda: problems[-1] == "" and link.connected)


@pytest.mark.parametrize("code", [0x87, 0x95, 0x97, 0x9F])
async def test_a_broker_that_refuses_each_connection_raises_an_alarm_with_its_reason(outbox: Outbox, code: int) -> None:
    problems: list[str] = []
    async with scripted_broker(bytes([0x20, 3, 0, code, 0])) as (port, _):
        times = BrokerLinkTimes(retry_longest_s=0.05)
        address = BrokerAddress("127.0.0.1", port)
        link = BrokerLink(address, outbox, version="1", times=times, on_broker_problem=problems.append)
        async with running(link):
            await until(lambda: bool(problems))
    assert problems[0].startswith("the broker does not accept a connection: refused by the broker: ")
    assert f"0x{code:02x}" in problems[0]


async def test_an_event_that_is_never_acknowledged_is_set_aside_and_the_others_arrive(outbox: Outbox) -> None:
    async with (
        strict_broker() as broker,
        running(link_to(broker, outbox, {"acknowledge_s": 0.1})) as link,
    ):
        broker.puback = lambda topic: None if topic == "stinger/b2/shot" else 0
        put_shots(link, 1, "b2")
        sent: list[str] = []
        while not outbox.set_aside_messages:
            sent += put_shots(link, 1, first=len(sent))
            await asyncio.sleep(0.02)
        await until(lambda: link.connected and link.depth == 0)
        assert set(ids(broker)) == set(sent)


async def test_a_broker_that_does_not_answer_subscriptions_gets_every_event(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        strict_broker() as broker,
        running(
            link_to(broker, outbox, on_command=on_command, connection_times=ConnectionTimes(connect_s=0.5))
        ) as link,
    ):
        broker.silent_about = frozenset({SUBSCRIBE})
        sent = put_shots(link, 5)
        await until(lambda: link.connected and link.depth == 0)
        assert ids(broker) == sent
    assert "no answer to the subscription within 0.5 s" in warnings(caplog, "broker_refused_subscription")[0]


@pytest.mark.parametrize(
    ("kind", "reason"), [(CONNECT, "no answer within 0.5 s"), (PINGREQ, "nothing from the broker for 2 s")]
)
async def test_a_broker_that_does_not_answer_is_given_up_with_the_reason(
    outbox: Outbox, caplog: pytest.LogCaptureFixture, kind: int, reason: str
) -> None:
    times = ConnectionTimes(connect_s=0.5, keepalive_s=1)
    async with strict_broker() as broker, running(link_to(broker, outbox, connection_times=times)):
        broker.silent_about = frozenset({kind})
        await until(lambda: bool(warnings(caplog, "broker_not_connected")))
    assert reason in warnings(caplog, "broker_not_connected")[0]


@pytest.mark.parametrize("announced", [True, False])
async def test_a_broker_for_which_a_subscription_is_too_long_gets_what_it_takes(
    outbox: Outbox, announced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    # The subscription to commands has 27 bytes, the message 9.
    limits = Limits(announced=announced, maximum_packet_bytes=26)
    async with strict_broker(limits) as broker, running(link_to(broker, outbox, on_command=on_command)) as link:
        link.publisher.put(OutgoingMessage("a", b"1", 1, retain=False, delivery=DeliveryPolicy.EVERY))
        await until(lambda: bool(broker.payloads("a")) and link.depth == 0)
    (warning,) = warnings(caplog, "broker_refused_subscription")
    assert "27 bytes, the broker takes at most 26" in warning


@pytest.mark.parametrize(("speaks", "code"), [(5, 0x87), (5, 0x9E), (4, 0)])
async def test_a_subscription_with_which_the_connection_ends_is_left_out_and_the_others_are_kept(
    outbox: Outbox, speaks: int, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        strict_broker() as broker,
        running(link_to(broker, outbox, on_command=on_command, home_assistant=True)) as link,
    ):
        broker.speaks = speaks
        broker.ends = lambda name: code if name == COMMAND_FILTER else None
        sent = put_shots(link, 5)
        await until(lambda: link.connected and link.depth == 0)
        assert ids(broker) == sent
        assert set(broker.subscribed) == {"homeassistant/status"}
    assert COMMAND_FILTER in warnings(caplog, "broker_refused_subscription")[0]
