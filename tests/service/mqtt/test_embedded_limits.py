"""Clients of the embedded broker that know no password, send too much, or do not read: others are served, and it stops."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import aiomqtt
import pytest

from service.config.broker_account import Account
from service.mqtt.embedded_broker import EmbeddedBroker
from service.mqtt.embedded_limits import EmbeddedLimits
from tests.helpers.brokers import subscriber, until
from tests.helpers.patience import PATIENCE_S, mqtt_client

pytest.importorskip("amqtt", reason="the embedded broker is an optional dependency")

ACCOUNT = Account("stinger", "sesame")
LIMITS = EmbeddedLimits()
CONNECT = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01"


def connect_packet(client: bytes, *, keep_alive_s: int = 0) -> bytes:
    body = b"\x00\x04MQTT\x04\x02" + keep_alive_s.to_bytes(2, "big") + len(client).to_bytes(2, "big") + client
    return b"\x10" + bytes([len(body)]) + body


@asynccontextmanager
async def raw_client(broker: EmbeddedBroker, sent: bytes = b"") -> AsyncIterator[asyncio.StreamReader]:
    """Connect, send ``sent``, and yield what the broker answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    try:
        writer.write(sent)
        yield reader
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Return what arrives until the connection is closed; fail if it stays open."""
    async with asyncio.timeout(PATIENCE_S):
        with suppress(ConnectionResetError):
            return await reader.read()
        return b""


@pytest.mark.parametrize(
    ("user", "password"), [(None, None), ("stinger", None), ("stinger", "wrong"), ("other", "sesame"), ("stinger", "")]
)
async def test_a_client_without_the_right_user_and_password_is_refused(user: str | None, password: str | None) -> None:
    async with EmbeddedBroker(0, account=ACCOUNT) as broker:
        with pytest.raises(aiomqtt.MqttError, match="Not authorized"):
            async with mqtt_client(broker.port, username=user, password=password):
                pass
        async with mqtt_client(broker.port, username="stinger", password="sesame"):
            pass


async def test_a_refused_client_does_not_disconnect_another_with_its_identifier() -> None:
    async with (
        EmbeddedBroker(0, account=ACCOUNT) as broker,
        mqtt_client(
            broker.port, username="stinger", password="sesame", identifier="daemon", clean_session=True
        ) as client,
    ):
        await client.subscribe("x", 1)
        async with raw_client(broker, connect_packet(b"daemon")) as reader:
            assert await rest(reader) == b"\x20\x02\x00\x05"
        await client.publish("x", b"still here", 1)
        async with asyncio.timeout(PATIENCE_S):
            assert (await anext(client.messages)).payload == b"still here"


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x10", b"\x10\x20\x00\x04MQ", b"\x30\x02\x00\x00", b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\xff"],
)
async def test_a_connection_without_a_connect_is_closed(sent: bytes) -> None:
    async with (
        EmbeddedBroker(0, limits=replace(LIMITS, connect_s=0.2)) as broker,
        raw_client(broker, sent) as reader,
    ):
        assert await rest(reader) == b""


async def test_a_client_of_mqtt_5_is_answered_with_the_code_for_another_version() -> None:
    packet = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x01a"
    async with EmbeddedBroker(0, account=ACCOUNT) as broker, raw_client(broker, packet) as reader:
        assert await rest(reader) == b"\x20\x02\x00\x01"


@pytest.mark.parametrize("sent", [b"", b"\x30\x05\x00\x01xhi", b"\xe0\x00", b"\x82\x06\x00\x01\x00\x01x\x01"])
async def test_clients_that_leave_at_once_do_not_keep_their_places(sent: bytes) -> None:
    places = 3
    async with EmbeddedBroker(0, limits=replace(LIMITS, connections=places)) as broker:
        for number in range(3 * places):
            reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
            writer.write(connect_packet(b"hasty%d" % number) + sent)
            writer.write_eof()
            await rest(reader)
            writer.transport.abort()
        async with mqtt_client(broker.port) as client:
            await client.subscribe("x", 1)


async def test_clients_that_connect_while_others_subscribe_stay_connected() -> None:
    async with EmbeddedBroker(0) as broker, mqtt_client(broker.port) as publisher:
        for number in range(50):
            await publisher.publish(f"state/{number}", b"x", 1, retain=True)
        await publisher.subscribe("state/#", 1)

        async def subscribe(number: int) -> None:
            await publisher.subscribe(f"other/{number}", 1)

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            for number in range(40):
                tasks.create_task(subscribe(number))
                tasks.create_task(stay(broker, number))


async def stay(broker: EmbeddedBroker, number: int) -> None:
    """Connect, and fail if the broker ends the connection; it sends nothing but its answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    try:
        writer.write(connect_packet(b"c%02d" % number))
        assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
        for _ in range(5):
            writer.write(b"\xc0\x00")
            assert await reader.readexactly(2) == b"\xd0\x00"
    finally:
        writer.transport.abort()


async def test_silent_connections_do_not_keep_others_out() -> None:
    async with EmbeddedBroker(0, limits=replace(LIMITS, connections=5)) as broker:
        silent = [await asyncio.open_connection("127.0.0.1", broker.port) for _ in range(30)]
        async with subscriber(broker.port, "x") as heard:
            assert heard.client is not None
            await heard.client.publish("x", b"1", 1)
            await heard.until(lambda: bool(heard.messages))
        for _, writer in silent:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def test_more_clients_than_the_limit_are_refused_while_all_others_have_logged_in() -> None:
    async with EmbeddedBroker(0, limits=replace(LIMITS, connections=2)) as broker:
        async with subscriber(broker.port), subscriber(broker.port), raw_client(broker, CONNECT) as reader:
            assert await rest(reader) == b""
        async with subscriber(broker.port):
            pass


async def test_a_packet_that_is_too_long_ends_its_connection_and_is_not_read() -> None:
    length = b"\x80\x80\x80\x01"  # 2 MB
    async with (
        EmbeddedBroker(0) as broker,
        raw_client(broker, connect_packet(b"a") + b"\x31" + length + b"\x00\x01x") as reader,
    ):
        assert await rest(reader) == b"\x20\x02\x00\x00"


async def test_a_packet_that_is_not_completed_ends_its_connection() -> None:
    async with (
        EmbeddedBroker(0, limits=replace(LIMITS, stalled_s=0.2)) as broker,
        raw_client(broker, connect_packet(b"a") + b"\x30\x50\x00\x01x") as reader,
    ):
        assert await rest(reader) == b"\x20\x02\x00\x00"


async def test_a_client_whose_ping_waits_in_the_socket_while_the_broker_is_held_up_stays_connected() -> None:
    async with EmbeddedBroker(0) as broker:
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(connect_packet(b"a", keep_alive_s=1))
        assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
        writer.write(b"\xc0\x00")
        time.sleep(2)  # noqa: ASYNC251 - holds the event loop up, and the broker in it, for longer than it waits
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.readexactly(2) == b"\xd0\x00"
        writer.transport.abort()


async def test_a_client_that_is_silent_for_longer_than_its_keep_alive_is_disconnected() -> None:
    async with EmbeddedBroker(0) as broker, raw_client(broker, connect_packet(b"a", keep_alive_s=1)) as reader:
        assert await rest(reader) == b"\x20\x02\x00\x00"


async def test_retained_messages_are_limited_in_number_and_the_others_are_delivered_all_the_same() -> None:
    async with (
        EmbeddedBroker(0, limits=replace(LIMITS, retained_messages=3)) as broker,
        subscriber(broker.port) as heard,
    ):
        assert heard.client is not None
        for n in range(6):
            await heard.client.publish(f"t/{n}", b"x", 1, retain=True)
        await heard.client.publish("t/0", b"newer", 1, retain=True)
        await heard.until(lambda: len(heard.messages) == 7)
        async with subscriber(broker.port) as late:
            await late.until(lambda: len(late.messages) == 3)
            assert {m.topic.value: m.payload for m in late.messages} == {"t/0": b"newer", "t/1": b"x", "t/2": b"x"}


async def test_retained_messages_are_limited_in_bytes_and_a_deleted_one_makes_room() -> None:
    async with (
        EmbeddedBroker(0, limits=replace(LIMITS, retained_bytes=1000)) as broker,
        subscriber(broker.port) as heard,
    ):
        assert heard.client is not None
        await heard.client.publish("a", bytes(600), 1, retain=True)
        await heard.client.publish("b", bytes(600), 1, retain=True)
        await heard.client.publish("a", b"", 1, retain=True)
        await heard.client.publish("c", bytes(600), 1, retain=True)
        await heard.until(lambda: len(heard.messages) == 4)
        async with subscriber(broker.port) as late:
            await late.until(lambda: bool(late.messages))
            assert [m.topic.value for m in late.messages] == ["c"]


async def test_subscriptions_are_limited_in_number_and_length() -> None:
    async with (
        EmbeddedBroker(0, limits=replace(LIMITS, subscriptions=2, filter_characters=5)) as broker,
        mqtt_client(broker.port) as client,
    ):
        granted = await client.subscribe([("abcdef", 0), ("a", 0), ("b", 0), ("c", 0)])
        assert [code if isinstance(code, int) else code.value for code in granted] == [0x80, 0, 0, 0x80]


async def test_a_subscriber_that_does_not_read_is_disconnected_and_others_are_served() -> None:
    limits = replace(LIMITS, unread_bytes=1_000_000)
    subscribe = b"\x82\x06\x00\x01\x00\x01#\x00"
    async with (
        EmbeddedBroker(0, limits=limits) as broker,
        subscriber(broker.port, "x") as heard,
        raw_client(broker, connect_packet(b"stalled") + subscribe),
    ):
        assert heard.client is not None
        for sent in range(1, 100):
            await heard.client.publish("x", bytes(200_000), 1)
            await heard.until(lambda: len(heard.messages) == sent)  # noqa: B023 - waited for in the same turn
        await until(lambda: len(broker._clients) == 1)


async def test_a_subscriber_that_stops_reading_is_disconnected_after_a_time() -> None:
    subscribe = b"\x82\x06\x00\x01\x00\x01#\x00"
    async with (
        EmbeddedBroker(0, limits=replace(LIMITS, stalled_s=0.3)) as broker,
        subscriber(broker.port, "x") as heard,
        raw_client(broker, connect_packet(b"stalled") + subscribe),
    ):
        assert heard.client is not None
        for _ in range(60):
            await heard.client.publish("x", bytes(200_000), 1)
        await until(lambda: len(broker._clients) == 1)


def publish_packet(topic: bytes, payload: bytes, number: int) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + number.to_bytes(2, "big") + payload
    assert len(body) < 128
    return b"\x32" + bytes([len(body)]) + body


@pytest.mark.parametrize("topic", [b"$x", b"", b"a/#", b"$SYS/broker/version"])
async def test_a_client_that_publishes_where_nobody_may_keeps_nobody_waiting(
    topic: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    many = b"".join(publish_packet(b"x", b"y", number) for number in range(1, 3001))
    async with (
        EmbeddedBroker(0) as broker,
        raw_client(broker, connect_packet(b"bad") + publish_packet(topic, b"1", 3001) + many) as reader,
    ):
        await rest(reader)
        async with subscriber(broker.port, "y") as heard:
            assert heard.client is not None
            await heard.client.publish("y", b"1", 1)
            await heard.until(lambda: bool(heard.messages))
        inner = broker._broker
        assert inner is not None
        await until(lambda: inner.backlog == 0)
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_what_a_client_has_published_is_distributed_although_it_disconnects_at_once() -> None:
    count = 500
    many = b"".join(publish_packet(b"x", b"%d" % number, number) for number in range(1, count + 1))
    async with EmbeddedBroker(0) as broker, subscriber(broker.port, "x") as heard:
        async with raw_client(broker, connect_packet(b"brief") + many + b"\xe0\x00") as reader:
            await rest(reader)
            await heard.until(lambda: len(heard.messages) == count)
        assert [int(message.payload) for message in heard.messages] == list(range(1, count + 1))


async def test_it_stops_in_limited_time_while_a_subscriber_does_not_read() -> None:
    subscribe = b"\x82\x06\x00\x01\x00\x01#\x01"
    before = asyncio.all_tasks()
    broker = EmbeddedBroker(0, limits=replace(LIMITS, stop_s=0.3))
    async with (
        broker,
        mqtt_client(broker.port) as client,
        raw_client(broker, connect_packet(b"stalled") + subscribe),
    ):
        for _ in range(60):
            await client.publish("x", bytes(200_000), 1)
        async with asyncio.timeout(PATIENCE_S):
            await broker._stop()
    await until(lambda: asyncio.all_tasks() == before)


@pytest.mark.parametrize("task", ["_broadcast_task", "_session_monitor_task"])
async def test_a_broker_whose_task_has_ended_is_reported_and_started_again(task: str) -> None:
    problems: list[str] = []
    async with EmbeddedBroker(0) as broker:
        port = broker.port
        supervising = asyncio.create_task(broker.supervise(problems.append, every_s=0.02))
        inner = broker._broker
        assert inner is not None
        assert broker.problem == ""
        getattr(inner, task).cancel()
        await until(lambda: len(problems) >= 2)
        assert "has ended" in problems[0]
        assert problems[1] == ""
        assert broker.port == port
        async with subscriber(port, "x") as heard:
            assert heard.client is not None
            await heard.client.publish("x", b"1", 1)
            await heard.until(lambda: bool(heard.messages))
        supervising.cancel()
        await asyncio.gather(supervising, return_exceptions=True)


async def test_a_broker_that_no_longer_listens_is_started_again() -> None:
    problems: list[str] = []
    async with EmbeddedBroker(0) as broker:
        supervising = asyncio.create_task(broker.supervise(problems.append, every_s=0.02))
        assert broker._server is not None
        broker._server.close()
        await until(lambda: len(problems) >= 2)
        assert "does not listen" in problems[0]
        async with subscriber(broker.port):
            pass
        supervising.cancel()
        await asyncio.gather(supervising, return_exceptions=True)
