"""Both kinds of connections through a real broker and through scripted ones: what brokers announce, refuse and end."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.config.broker_address import BrokerAddress
from service.mqtt.aiomqtt_connection import AiomqttConnection
from service.mqtt.broker_limits import BrokerLimits
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.connection import IncomingMessage
from service.mqtt.connection_settings import ConnectionTimes, ProtocolVersion
from service.mqtt.connector import Connector
from service.mqtt.embedded_broker import EmbeddedBroker
from service.mqtt.errors import MqttError
from service.mqtt.messages import OutgoingMessage
from tests.helpers.broker_addresses import address_of
from tests.helpers.brokers import Mosquitto, protocol_level, scripted_broker, until
from tests.helpers.patience import PATIENCE_S, mqtt_client
from tests.service.mqtt.connections import (
    ACCEPTED_5,
    Kind,
    connector,
    ignore,
    message,
    publisher,
    reason_of_loss,
    refusal,
)


async def test_the_end_of_a_connection_is_reported_in_the_words_of_the_broker(kind: Kind) -> None:
    async with (
        scripted_broker(ACCEPTED_5, b"\xe0\x01\x8e", None) as (port, _),
        connector(kind, port).connect(ignore) as connection,
    ):
        for _ in range(2):
            with pytest.raises(MqttError, match="Session taken over"):
                await connection.subscribe([("a", 1)])
        assert await reason_of_loss(connection) == "disconnected by the broker: Session taken over (0x8e)"


async def test_publishing_through_a_connection_that_has_ended_raises_the_reason() -> None:
    async with scripted_broker(ACCEPTED_5, b"\xe0\x01\x8e") as (port, _), publisher(port).connect(ignore) as connection:
        connection.publish(message())
        await reason_of_loss(connection)
        with pytest.raises(MqttError, match="Session taken over"):
            connection.publish(message())


async def test_a_second_client_with_the_same_identifier_takes_over(mosquitto: Mosquitto, kind: Kind) -> None:
    async with (
        connector(kind, mosquitto.port, identifier="same").connect(ignore) as first,
        connector(kind, mosquitto.port, identifier="same").connect(ignore) as second,
    ):
        await reason_of_loss(first)
        assert await second.subscribe([("a", 1)]) == (1,)


async def test_what_the_broker_announces_can_be_read(kind: Kind) -> None:
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
    expected = BrokerLimits(
        receive_maximum=5,
        maximum_packet_bytes=4096,
        maximum_qos=1,
        retain_available=False,
        server_keep_alive_s=7,
        assigned_identifier="abc",
    )
    if kind.no_packet_limit:
        expected = replace(expected, maximum_packet_bytes=None)
    async with (
        scripted_broker(b"\x20" + bytes([len(connack)]) + connack, None) as (port, _),
        connector(kind, port).connect(ignore) as connection,
    ):
        assert connection.limits == expected


async def test_a_refusal_carries_the_explanation_of_the_broker(kind: Kind) -> None:
    connack = b"\x00\x97\x0b\x1f\x00\x08too many"
    async with scripted_broker(b"\x20" + bytes([len(connack)]) + connack) as (port, _):
        reason = await refusal(connector(kind, port))
        assert reason.startswith("refused by the broker: Quota exceeded (0x97)")
        if kind.no_explanations:
            pytest.skip(kind.no_explanations)
        assert reason.endswith("(0x97): too many")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"\x20\x02\x00\x01", "refused by the broker: Unsupported protocol version (0x84)"),
        (
            b"\x20\x02\x00\x05",
            "refused by the broker: Not authorized (0x87)",
        ),
        (b"\x20\x03\x00\x84\x00", "refused by the broker: Unsupported protocol version (0x84)"),
        (b"\x20\x03\x00\x88\x00", "refused by the broker: Server unavailable (0x88)"),
        (b"HTTP/1.1 400\r\n\r\n", "the broker closed the connection before it accepted it"),
        (b"", "the broker closed the connection before it accepted it"),
    ],
)
async def test_a_broker_that_refuses_is_tried_in_both_versions(kind: Kind, answer: bytes, reason: str) -> None:
    async with scripted_broker(answer) as (port, received):
        broker = connector(kind, port)
        found = {await refusal(broker) for _ in range(3)}
    assert [protocol_level(connect) for connect in received[:3]] == [5, 4, 5]
    assert found == {reason}


async def test_a_silent_broker_is_given_up_and_then_tried_in_the_other_version(kind: Kind) -> None:
    async with scripted_broker() as (port, received):
        broker = connector(kind, port, times=ConnectionTimes(connect_s=1.0))
        for _ in range(2):
            assert await refusal(broker) == "no answer within 1 s"
    assert [protocol_level(connect) for connect in received] == [5, 4]


async def test_a_connect_that_is_cancelled_leaves_no_socket_open(kind: Kind) -> None:
    async with scripted_broker() as (port, received):
        connecting = asyncio.create_task(refusal(connector(kind, port)))
        await until(lambda: bool(received))
        connecting.cancel()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait({connecting})
        assert connecting.cancelled()


async def test_a_thread_that_connects_after_the_connection_was_given_up_sends_nothing() -> None:
    async with scripted_broker() as (port, received):
        settings = publisher(port)._settings()
        connection = AiomqttConnection(settings, ignore)
        connection.abort()
        with pytest.raises(ConnectionAbortedError):
            await asyncio.to_thread(connection._paho.connect, "127.0.0.1", port)
        assert connection._paho.socket() is None
        await asyncio.sleep(0.05)
        assert not received


async def test_a_dead_broker_is_noticed_even_if_it_asked_for_no_keepalive(kind: Kind) -> None:
    no_keepalive = b"\x20\x06\x00\x00\x03\x13\x00\x00"
    times = ConnectionTimes(keepalive_s=1)
    async with (
        scripted_broker(no_keepalive, *[None] * 100) as (port, _),
        connector(kind, port, times=times).connect(ignore) as connection,
    ):
        assert await reason_of_loss(connection) == "nothing from the broker for 2 s"


async def test_an_idle_connection_to_a_live_broker_stays(mosquitto: Mosquitto, kind: Kind) -> None:
    async with connector(kind, mosquitto.port, times=ConnectionTimes(keepalive_s=1)).connect(ignore) as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4.0):
                await connection.wait_lost()
        assert await connection.subscribe([("a", 1)]) == (1,)


async def test_a_dead_broker_with_tls_is_noticed_and_does_not_delay_the_end(
    tls_mosquitto: Mosquitto, certificates: Path, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    client: dict[str, Any] = {"cert_file": certificates / "client.crt", "key_file": certificates / "client.key"}
    address = address_of(f"mqtts://127.0.0.1:{tls_mosquitto.port}", ca_file=certificates / "ca.crt", **client)
    assert tls_mosquitto.process is not None
    times = ConnectionTimes(keepalive_s=1)
    async with Connector(kind.make, address, times=times).connect(ignore) as connection:
        tls_mosquitto.process.send_signal(signal.SIGSTOP)
        assert await reason_of_loss(connection) == "nothing from the broker for 2 s"
    assert "never retrieved" not in caplog.text


async def test_the_embedded_broker_is_connected_to_in_3_1_1(kind: Kind) -> None:
    pytest.importorskip("amqtt", reason="the embedded broker is an optional dependency")
    received: list[bytes] = []
    async with EmbeddedBroker(0) as embedded:
        address = BrokerAddress("127.0.0.1", embedded.port, embedded=True)
        async with (
            Connector(kind.make, address).connect(lambda each, _: received.append(each.payload)) as connection,
            mqtt_client(embedded.port) as client,
        ):
            assert connection.version is ProtocolVersion.V311
            await connection.subscribe([("a/b", 1)])
            await client.publish("a/b", b"x", qos=1)
            await until(lambda: received == [b"x"])


async def test_a_goodbye_sends_disconnect_and_closes_the_socket(kind: Kind) -> None:
    async with scripted_broker(ACCEPTED_5, None, None) as (port, sent):
        async with connector(kind, port).connect(ignore):
            pass
        await until(lambda: len(sent) == 2)
    assert sent[1] == kind.goodbye


async def test_the_accepted_version_is_kept_and_another_is_only_tried_before(mosquitto: Mosquitto, kind: Kind) -> None:
    broker = connector(kind, mosquitto.port)
    async with broker.connect(ignore) as connection:
        assert connection.version is ProtocolVersion.V5
    mosquitto.kill()
    assert "Connection refused" in await refusal(broker)
    assert broker.version is ProtocolVersion.V5


async def test_a_broker_that_cannot_be_reached_does_not_change_the_version(mosquitto: Mosquitto, kind: Kind) -> None:
    mosquitto.kill()
    broker = connector(kind, mosquitto.port)
    assert "Connection refused" in await refusal(broker)
    assert broker.version is ProtocolVersion.V5


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0", "\ud800", "x" * 70_000])
async def test_a_topic_that_cannot_be_published_to_is_refused_and_the_connection_stays(
    mosquitto: Mosquitto, topic: str
) -> None:
    async with publisher(mosquitto.port).connect(ignore) as connection:
        with pytest.raises(ValueError):  # noqa: PT011 - which one depends on the topic
            connection.publish(message(topic))
        await connection.deliver(message())


async def test_a_socket_is_not_watched_for_writing_when_nothing_waits(mosquitto: Mosquitto) -> None:
    loop = asyncio.get_running_loop()
    acknowledged = asyncio.Event()

    def publish(_message: IncomingMessage, _read_ns: int) -> None:
        # It runs after paho has put the acknowledgement of the message into its queue, and before that is written.
        loop.call_soon(lambda: connection.publish(message("other"), acknowledged.set))

    async with publisher(mosquitto.port).connect(publish) as connection:
        assert await connection.subscribe([("a/b", 1)]) == (1,)
        async with publisher(mosquitto.port).connect(ignore) as other:
            await other.deliver(message())
        await acknowledged.wait()
        sock = connection._paho.socket()
        assert sock is not None
        await asyncio.sleep(0.1)
        assert not loop.remove_writer(sock)  # whether it was watched


async def test_a_broker_that_stops_reading_congests_the_connection_until_it_reads_again(mosquitto: Mosquitto) -> None:
    writable = asyncio.Event()
    async with publisher(mosquitto.port).connect(ignore, writable.set) as connection:
        assert mosquitto.process is not None
        mosquitto.process.send_signal(signal.SIGSTOP)
        while not connection.congested:
            connection.publish(OutgoingMessage("a", bytes(100_000), 0, retain=False, delivery=DeliveryPolicy.LIVE))
        mosquitto.process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(PATIENCE_S):
            await writable.wait()
        assert not connection.congested
