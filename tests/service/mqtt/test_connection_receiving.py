"""What both kinds of connections receive: messages, answers to subscriptions, and packets that are wrong or too long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.mqtt.connection import IncomingMessage
from service.mqtt.connection_settings import ConnectionTimes
from service.mqtt.errors import MqttError
from service.mqtt.gmqtt_connection import GmqttConnection
from tests.helpers.brokers import Mosquitto, scripted_broker, until
from tests.helpers.patience import PATIENCE_S
from tests.service.mqtt.connections import (
    ACCEPTED_5,
    GMQTT,
    MAX_BYTES,
    SUBSCRIBED_5,
    Kind,
    connector,
    ignore,
    message,
    publisher,
    reason_of_loss,
)


async def test_messages_arrive_with_topic_payload_and_retain_flag(mosquitto: Mosquitto, kind: Kind) -> None:
    received: list[IncomingMessage] = []
    async with (
        publisher(mosquitto.port).connect(ignore) as other,
        connector(kind, mosquitto.port).connect(lambda each, _: received.append(each)) as connection,
    ):
        await other.deliver(message("kept", b"old", retain=True))
        assert await connection.subscribe([("kept", 1), ("a/+", 0)]) == (1, 0)
        await other.deliver(message("a/b", bytes(100_000)))
        await until(lambda: len(received) == 2)
    (kept, live) = sorted(received, key=lambda each: each.topic, reverse=True)
    assert (kept.topic, kept.payload, kept.retain) == ("kept", b"old", True)
    assert (live.topic, live.payload, live.retain) == ("a/b", bytes(100_000), False)


async def test_a_message_carries_its_response_topic_and_correlation_data(kind: Kind) -> None:
    properties = b"\x08\x00\x05reply" + b"\x09\x00\x02\x01\x02"
    body = b"\x00\x01a" + bytes([len(properties)]) + properties + b"payload"
    received: list[IncomingMessage] = []
    async with (
        scripted_broker(ACCEPTED_5, SUBSCRIBED_5 + bytes([0x30, len(body)]) + body, None) as (port, _),
        connector(kind, port).connect(lambda each, _: received.append(each)) as connection,
    ):
        await connection.subscribe([("a", 1)])
        await until(lambda: bool(received))
    assert received == [
        IncomingMessage("a", b"payload", retain=False, response_topic="reply", correlation_data=b"\1\2")
    ]


async def test_a_message_whose_topic_is_not_utf_8_is_ignored(kind: Kind) -> None:
    def published(topic: bytes) -> bytes:
        body = len(topic).to_bytes(2, "big") + topic + b"\x00" + b"payload"
        return bytes([0x30, len(body)]) + body

    received: list[str] = []
    answer = SUBSCRIBED_5 + published(b"a/\xff\xfe") + published(b"a/b")
    async with (
        scripted_broker(ACCEPTED_5, answer, None) as (port, _),
        connector(kind, port).connect(lambda each, _: received.append(each.topic)) as connection,
    ):
        await connection.subscribe([("a", 1)])
        await until(lambda: bool(received))
    assert received == ["a/b"]


@pytest.mark.parametrize("cut", [23, 400, 100_000])
async def test_messages_of_every_form_arrive_complete_and_in_order_however_they_are_cut(kind: Kind, cut: int) -> None:
    def published(first: int, topic: bytes, payload: bytes, properties: bytes = b"", identifier: bytes = b"") -> bytes:
        body = len(topic).to_bytes(2, "big") + topic + identifier + bytes([len(properties)]) + properties + payload
        size, length = len(body), b""
        while size >= 128:
            size, low = divmod(size, 128)
            length += bytes([low | 128])
        return bytes([first]) + length + bytes([size]) + body

    plain = [published(0x30, b"a/%d" % i, bytes([i]) * (1 + 37 * i % 400)) for i in range(30)]
    others = [
        published(0x30, b"a/long", bytes(9_000)),
        published(0x32, b"a/once", b"acknowledged", identifier=b"\x00\x01"),
        published(0x31, b"a/kept", b"retained"),
        published(0x30, b"a/expiry", b"with properties", properties=b"\x02\x00\x00\x00\x09"),
        published(0x30, b"a/empty", b""),
    ]
    packets = [packet for i, other in enumerate(others) for packet in (*plain[6 * i : 6 * i + 6], other)]
    answer = SUBSCRIBED_5 + b"".join(packets)
    received: list[IncomingMessage] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(ACCEPTED_5)
        await reader.read(1000)
        for start in range(0, len(answer), cut):
            writer.write(answer[start : start + cut])
            await asyncio.sleep(0)
        await reader.read()
        writer.close()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        async with connector(kind, port).connect(lambda each, _: received.append(each)) as connection:
            await connection.subscribe([("a/#", 1)])
            await until(lambda: len(received) == len(packets))
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
    expected = [(f"a/{i}", bytes([i]) * (1 + 37 * i % 400), False) for i in range(30)]
    for at, last in enumerate(
        [
            ("a/long", bytes(9_000), False),
            ("a/once", b"acknowledged", False),
            ("a/kept", b"retained", True),
            ("a/expiry", b"with properties", False),
            ("a/empty", b"", False),
        ]
    ):
        expected.insert(7 * at + 6, last)
    assert [(each.topic, each.payload, each.retain) for each in received] == expected


async def test_messages_show_that_the_broker_is_alive_even_if_each_packet_of_the_network_ends_within_one() -> None:
    packet = b"\x30\x07\x00\x03a/b\x00x"
    received: list[IncomingMessage] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(ACCEPTED_5)
        await reader.read(1000)
        writer.write(SUBSCRIBED_5)
        await subscribed.wait()
        writer.write(2 * packet + packet[:5])
        await reader.read()
        writer.close()
        ended.set()

    subscribed, ended = asyncio.Event(), asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        async with connector(GMQTT, port).connect(lambda each, _: received.append(each)) as connection:
            assert isinstance(connection, GmqttConnection)
            await connection.subscribe([("a/#", 1)])
            checked: Any = (
                connection._client._connection
            )  # what gmqtt's check of the broker looks at has no public name
            before_s = checked._last_data_in
            subscribed.set()
            await until(lambda: len(received) == 2)
            assert checked._last_data_in > before_s
        await asyncio.wait_for(ended.wait(), PATIENCE_S)


async def test_a_subscription_is_refused_with_a_code(kind: Kind) -> None:
    async with (
        scripted_broker(ACCEPTED_5, b"\x90\x04\x00\x01\x00\x87", None) as (port, _),
        connector(kind, port).connect(ignore) as connection,
    ):
        assert await connection.subscribe([("a", 1)]) == (0x87,)


@pytest.mark.parametrize("codes", [b"", b"\x01\x01"])
async def test_an_answer_with_another_number_of_codes_is_an_error(kind: Kind, codes: bytes) -> None:
    suback = b"\x90" + bytes([3 + len(codes)]) + b"\x00\x01\x00" + codes
    async with (
        scripted_broker(ACCEPTED_5, suback, None) as (port, _),
        connector(kind, port).connect(ignore) as connection,
    ):
        with pytest.raises(MqttError, match=f"answered 1 subscriptions with {len(codes)} codes"):
            await connection.subscribe([("a", 1)])


async def test_a_subscription_that_is_not_answered_in_time_is_an_error(kind: Kind) -> None:
    async with (
        scripted_broker(ACCEPTED_5, None, None) as (port, _),
        connector(kind, port, times=ConnectionTimes(connect_s=1.0)).connect(ignore) as connection,
    ):
        with pytest.raises(MqttError, match=r"no answer to the subscription within 1 s"):
            await connection.subscribe([("a", 1)])


async def test_what_waits_for_the_broker_fails_when_the_connection_is_lost(kind: Kind) -> None:
    async with scripted_broker(ACCEPTED_5, b"") as (port, _), connector(kind, port).connect(ignore) as connection:
        for _ in range(2):
            with pytest.raises(MqttError, match="the broker closed the connection"):
                async with asyncio.timeout(PATIENCE_S):
                    await connection.subscribe([("a", 0)])


async def test_a_publish_that_waits_for_its_acknowledgement_fails_when_the_connection_is_lost() -> None:
    async with scripted_broker(ACCEPTED_5, b"") as (port, _), publisher(port).connect(ignore) as connection:
        for _ in range(2):
            with pytest.raises(MqttError, match="the broker closed the connection"):
                async with asyncio.timeout(PATIENCE_S):
                    await connection.deliver(message())


async def test_a_broker_that_sends_garbage_after_accepting_is_left(kind: Kind) -> None:
    if kind.ignores_garbage:
        pytest.skip(kind.ignores_garbage)
    async with (
        scripted_broker(ACCEPTED_5, b"\x00\x00", None) as (port, _),
        connector(kind, port).connect(ignore) as connection,
    ):
        with pytest.raises(MqttError):
            await connection.subscribe([("a", 1)])
        assert await reason_of_loss(connection) == "the broker sent a packet that MQTT does not allow"


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"\x30\x05\x00\x01a\x01\xee", id="unknown property"),
        pytest.param(b"\x30\x01\x00", id="too short for its topic"),
        pytest.param(b"\x90\x02\x00\x01", id="no properties"),
    ],
)
async def test_a_packet_that_cannot_be_taken_apart_ends_the_connection_or_is_skipped(
    kind: Kind, packet: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    received: list[str] = []
    good = b"\x30\x04\x00\x01a\x00"
    async with (
        scripted_broker(ACCEPTED_5, SUBSCRIBED_5 + packet + good, None) as (port, _),
        connector(kind, port).connect(lambda each, _: received.append(each.topic)) as connection,
    ):
        await connection.subscribe([("a", 1)])
        if kind.ignores_garbage:
            await until(lambda: received == ["a"])
        else:
            await reason_of_loss(connection)
    assert "never retrieved" not in caplog.text


async def test_a_message_that_is_too_long_ends_the_connection_before_it_is_read(kind: Kind) -> None:
    beginning = b"\x30\x80\x80\x80\x7d" + bytes(2 * MAX_BYTES)
    async with (
        scripted_broker(ACCEPTED_5, SUBSCRIBED_5 + beginning, None) as (port, _),
        connector(kind, port, max_packet_bytes=MAX_BYTES).connect(ignore) as connection,
    ):
        await connection.subscribe([("a", 1)])
        reason = await reason_of_loss(connection)
    # paho-mqtt counts without the header.
    assert reason.replace("262144000", "262144005") == (
        f"the broker sent a packet of 262144005 bytes, longer than {MAX_BYTES}"
    )


async def test_a_broker_of_version_5_does_not_deliver_a_message_that_is_too_long(
    mosquitto: Mosquitto, kind: Kind
) -> None:
    received: list[int] = []
    async with (
        publisher(mosquitto.port).connect(ignore) as other,
        connector(kind, mosquitto.port, max_packet_bytes=MAX_BYTES).connect(
            lambda each, _: received.append(len(each.payload))
        ) as connection,
    ):
        await connection.subscribe([("a/b", 1)])
        await other.deliver(message(payload=bytes(MAX_BYTES)))
        await other.deliver(message(payload=bytes(MAX_BYTES // 2)))
        await until(lambda: bool(received))
    assert received == [MAX_BYTES // 2]
