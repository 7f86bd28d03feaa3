"""Connections through a real broker and through scripted ones: what brokers announce, refuse and end."""

from __future__ import annotations

import asyncio
import signal

import pytest

from service.config.broker_address import BrokerAddress
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.connection import BrokerLimits, Connection, Connector, MqttError, PublishPacket
from service.mqtt.messages import OutgoingMessage
from service.mqtt.packets import ProtocolVersion
from tests.helpers.brokers import PATIENCE_S, Mosquitto, scripted_broker, until

ACCEPTED_5 = b"\x20\x03\x00\x00\x00"


def connector(port: int, identifier: str | None = None) -> Connector:
    return Connector(BrokerAddress("127.0.0.1", port), identifier=identifier)


def ignore(_message: PublishPacket, _read_ns: int) -> None:
    pass


def message(topic: str = "a/b", payload: bytes = b"x", *, retain: bool = False) -> OutgoingMessage:
    return OutgoingMessage(topic, payload, 1, retain, DeliveryPolicy.LIVE)


async def reason_of_loss(connection: Connection) -> str:
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(MqttError) as caught:
            await connection.wait_lost()
    return str(caught.value)


async def test_the_end_of_a_connection_is_reported_in_the_words_of_the_broker() -> None:
    async with scripted_broker(ACCEPTED_5, b"\xe0\x01\x8e") as (port, _), connector(port).connect(ignore) as connection:
        connection.publish(message())
        reason = await reason_of_loss(connection)
        assert reason == "disconnected by the broker: session taken over: another client uses this id (0x8e)"
        with pytest.raises(MqttError, match="session taken over"):
            connection.publish(message())


async def test_a_second_client_with_the_same_identifier_takes_over(mosquitto: Mosquitto) -> None:
    async with (
        connector(mosquitto.port, "same").connect(ignore) as first,
        connector(mosquitto.port, "same").connect(ignore) as second,
    ):
        await reason_of_loss(first)
        await second.deliver(message())


async def test_what_the_broker_announces_can_be_read() -> None:
    properties = b"".join(
        [
            b"\x21\x00\x05",  # receive maximum
            b"\x24\x01",  # maximum QoS
            b"\x25\x00",  # retain available
            b"\x27\x00\x00\x10\x00",  # maximum packet size
            b"\x12\x00\x03abc",  # assigned client identifier
            b"\x13\x00\x07",  # server keep alive
            b"\x26\x00\x01k\x00\x01v",  # user property
        ]
    )
    connack = b"\x00\x00" + bytes([len(properties)]) + properties
    async with (
        scripted_broker(b"\x20" + bytes([len(connack)]) + connack, None) as (port, _),
        connector(port).connect(ignore) as connection,
    ):
        assert connection.limits == BrokerLimits(
            receive_maximum=5,
            maximum_packet_bytes=4096,
            maximum_qos=1,
            retain_available=False,
            server_keep_alive_s=7,
            assigned_identifier="abc",
        )


async def test_a_refusal_carries_the_explanation_of_the_broker() -> None:
    connack = b"\x00\x97\x0b\x1f\x00\x08too many"
    async with scripted_broker(b"\x20" + bytes([len(connack)]) + connack) as (port, _):
        with pytest.raises(MqttError, match=r"^refused by the broker: quota exceeded \(0x97\): too many$"):
            async with connector(port).connect(ignore):
                pass


async def test_messages_arrive_with_topic_payload_and_retain_flag(mosquitto: Mosquitto) -> None:
    received: list[PublishPacket] = []
    async with connector(mosquitto.port).connect(lambda packet, _: received.append(packet)) as connection:
        await connection.deliver(message("kept", b"old", retain=True))
        assert await connection.subscribe([("kept", 1), ("a/+", 0)]) == (1, 0)
        await connection.deliver(message("a/b", bytes(100_000)))
        await until(lambda: len(received) == 2)
    (kept, live) = sorted(received, key=lambda packet: packet.topic, reverse=True)
    assert (kept.topic, kept.payload, kept.retain) == ("kept", b"old", True)
    assert (live.topic, live.payload, live.retain) == ("a/b", bytes(100_000), False)


async def test_a_publish_that_waits_for_its_acknowledgement_fails_when_the_connection_is_lost() -> None:
    async with scripted_broker(ACCEPTED_5, b"") as (port, _), connector(port).connect(ignore) as connection:
        with pytest.raises(MqttError, match="the broker closed the connection"):
            async with asyncio.timeout(PATIENCE_S):
                await connection.deliver(message())
        with pytest.raises(MqttError, match="the broker closed the connection"):
            await connection.subscribe([("a", 0)])


async def test_a_broker_that_sends_garbage_after_accepting_is_left() -> None:
    async with scripted_broker(ACCEPTED_5, b"\x00\x00") as (port, _), connector(port).connect(ignore) as connection:
        connection.publish(message())
        assert (
            await reason_of_loss(connection) == "the broker sent a packet that begins with 0x00, which no broker sends"
        )


async def test_a_goodbye_sends_disconnect_and_closes_the_socket() -> None:
    async with scripted_broker(ACCEPTED_5, None, None) as (port, sent):
        async with connector(port).connect(ignore):
            pass
        await until(lambda: len(sent) == 2)
    assert sent[1] == b"\xe0\x00"


async def test_the_accepted_version_is_kept_and_another_is_only_tried_before(mosquitto: Mosquitto) -> None:
    broker = connector(mosquitto.port)
    async with broker.connect(ignore) as connection:
        assert connection.version is ProtocolVersion.V5
    mosquitto.kill()
    with pytest.raises(MqttError, match="Connection refused"):
        async with broker.connect(ignore):
            pass
    assert broker.version is ProtocolVersion.V5


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0", "\ud800", "x" * 70_000])
async def test_a_topic_that_cannot_be_published_to_is_refused_and_the_connection_stays(
    mosquitto: Mosquitto, topic: str
) -> None:
    async with connector(mosquitto.port).connect(ignore) as connection:
        with pytest.raises(ValueError):  # noqa: PT011 - which one depends on the topic
            connection.publish(message(topic))
        await connection.deliver(message())


async def test_a_broker_that_stops_reading_congests_the_connection_until_it_reads_again(mosquitto: Mosquitto) -> None:
    writable = asyncio.Event()
    async with connector(mosquitto.port).connect(ignore, writable.set) as connection:
        assert mosquitto.process is not None
        mosquitto.process.send_signal(signal.SIGSTOP)
        while not connection.congested:
            connection.publish(OutgoingMessage("a", bytes(100_000), 0, retain=False, delivery=DeliveryPolicy.LIVE))
        mosquitto.process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(PATIENCE_S):
            await writable.wait()
        assert not connection.congested
