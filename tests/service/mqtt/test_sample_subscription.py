"""Samples through real brokers and through brokers that misbehave."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from service.base.backoff import Backoff
from service.base.source import LinkState
from service.config.broker_address import BrokerAddress
from service.mqtt.connection_settings import ConnectionTimes
from service.mqtt.embedded_broker import EmbeddedBroker
from service.mqtt.sample_subscription import PACKET_MAX_BYTES, SampleSubscription
from service.sources.mqtt_devices import ReceivedMessage
from service.sources.mqtt_source import MqttSource
from stinger.wire.sample_messages import SampleMessage, encode_message
from tests.helpers.broker_addresses import address_of
from tests.helpers.brokers import Mosquitto, protocol_level, scripted_broker, until
from tests.helpers.patience import PATIENCE_S, mqtt_client
from tests.helpers.samples import counting_samples
from tests.service.sources.collecting import Collecting, running

ACCEPTED_5 = b"\x20\x03\x00\x00\x00"
SUBSCRIPTION_REFUSED_5 = b"\x90\x04\x00\x01\x00\x87"
SUBSCRIBED_5 = b"\x90\x04\x00\x01\x00\x01"
NOT_AUTHORIZED_5 = b"\x20\x03\x00\x87\x00"
OLD_PROTOCOL = b"\x20\x02\x00\x01"


def payload(first: int, count: int = 20) -> bytes:
    return encode_message(SampleMessage(first, counting_samples(first * 10, count)))


def at(port: int, **settings: Any) -> SampleSubscription:
    return SampleSubscription(BrokerAddress("127.0.0.1", port), **settings)


async def first_of(messages: AsyncIterator[ReceivedMessage]) -> ReceivedMessage:
    async with asyncio.timeout(PATIENCE_S):
        return await anext(messages)


async def refusal(subscription: SampleSubscription) -> str:
    """Why there was no connection."""
    with pytest.raises(OSError) as caught:  # noqa: PT011 - what it says is looked at
        async with asyncio.timeout(PATIENCE_S), subscription():
            pass
    return str(caught.value)


async def test_every_sample_is_delivered_also_after_a_restart_of_the_broker(tmp_path: Path) -> None:
    mosquitto, intake = Mosquitto(tmp_path / "mosquitto"), Collecting()
    source = MqttSource("mqtt:", at(mosquitto.port), backoff=Backoff(0.01, 0.05))
    try:
        async with running(source, intake):
            for begin, end in ((0, 200), (200, 400)):
                mosquitto.start()
                async with mqtt_client(mosquitto.port) as client:
                    # Published again and again until the source has subscribed: a repeat is dropped.
                    while not intake.reports or intake.reports[-1].state is not LinkState.STREAMING:
                        await client.publish("stinger/a/samples", payload(begin), qos=1)
                    for first in range(begin + 20, end, 20):
                        await client.publish("stinger/a/samples", payload(first), qos=1)
                    await client.publish("stinger/old/samples", payload(0), qos=1, retain=True)
                    await intake.until(partial(_has, "a", end))
                mosquitto.stop()
                await intake.until_state(LinkState.LOST)
    finally:
        mosquitto.kill()
    assert _times(intake, "a").tolist() == list(range(0, 4000, 10))
    lost = [report for report in intake.reports if report.device == "a" and report.state is LinkState.LOST]
    assert lost[0].reason == "no connection to the broker: the broker closed the connection"
    assert lost[-1].counters.lost == 0


async def test_a_retained_message_is_ignored(mosquitto: Mosquitto) -> None:
    async with mqtt_client(mosquitto.port) as client:
        await client.publish("stinger/old/samples", payload(0), qos=1, retain=True)
        async with at(mosquitto.port)() as messages:
            await client.publish("stinger/new/samples", payload(0))
            assert (await first_of(messages)).topic == "stinger/new/samples"


async def test_the_broker_does_not_deliver_a_message_longer_than_any_of_a_blaster(mosquitto: Mosquitto) -> None:
    async with mqtt_client(mosquitto.port) as client, at(mosquitto.port)() as messages:
        await client.publish("stinger/a/samples", bytes(PACKET_MAX_BYTES), qos=1)
        await client.publish("stinger/a/samples", payload(0, 4096), qos=1)
        assert len((await first_of(messages)).payload) == 4 + 4096 * 17


async def test_the_embedded_broker_delivers_samples() -> None:
    pytest.importorskip("amqtt")
    async with EmbeddedBroker(0) as embedded:
        address = BrokerAddress("127.0.0.1", embedded.port, embedded=True)
        async with SampleSubscription(address)() as messages, mqtt_client(embedded.port) as client:
            await client.publish("stinger/a/samples", payload(0), qos=1)
            assert (await first_of(messages)).payload == payload(0)


async def test_a_password_is_accepted_and_a_wrong_one_is_refused_with_the_reason(
    tmp_path: Path, passwords: Path
) -> None:
    mosquitto = Mosquitto(tmp_path / "guarded", f"allow_anonymous false\npassword_file {passwords}")
    mosquitto.start()
    try:
        said = await refusal(SampleSubscription(BrokerAddress("127.0.0.1", mosquitto.port, "anna", "guess")))
        assert said == "refused by the broker: Not authorized (0x87)"
        async with SampleSubscription(BrokerAddress("127.0.0.1", mosquitto.port, "anna", "sesame"))():
            pass
    finally:
        mosquitto.kill()


async def test_tls_with_a_private_ca_and_a_client_certificate(tls_mosquitto: Mosquitto, certificates: Path) -> None:
    url = f"mqtts://127.0.0.1:{tls_mosquitto.port}"
    client: dict[str, Any] = {"cert_file": certificates / "client.crt", "key_file": certificates / "client.key"}
    async with SampleSubscription(address_of(url, ca_file=certificates / "ca.crt", **client))():
        pass
    assert "certificate verify failed" in await refusal(SampleSubscription(address_of(url, **client)))
    assert await refusal(SampleSubscription(address_of(url, ca_file=certificates / "ca.crt")))


@pytest.mark.parametrize("answer", [OLD_PROTOCOL, NOT_AUTHORIZED_5, b"HTTP/1.1 400\r\n\r\n"])
async def test_a_broker_that_refuses_is_tried_in_both_versions(answer: bytes) -> None:
    async with scripted_broker(answer) as (port, received):
        subscription = at(port, times=ConnectionTimes(connect_s=1.0))
        for _ in range(3):
            await refusal(subscription)
    assert [protocol_level(connect) for connect in received[:3]] == [5, 4, 5]


async def test_a_silent_broker_is_given_up() -> None:
    async with scripted_broker() as (port, _):
        assert await refusal(at(port, times=ConnectionTimes(connect_s=0.2))) == "no answer within 0.2 s"


async def test_a_refused_subscription_is_an_error_with_the_reason() -> None:
    async with scripted_broker(ACCEPTED_5, SUBSCRIPTION_REFUSED_5) as (port, _):
        assert await refusal(at(port)) == "the broker refuses the subscription to samples: Not authorized (0x87)"


@pytest.mark.parametrize("codes", [b"", b"\x01\x01"])
async def test_an_answer_with_another_number_of_codes_is_an_error(codes: bytes) -> None:
    suback = b"\x90" + bytes([3 + len(codes)]) + b"\x00\x01\x00" + codes
    async with scripted_broker(ACCEPTED_5, suback) as (port, _):
        assert await refusal(at(port)) == f"the broker answered 1 subscriptions with {len(codes)} codes"


async def test_a_broker_that_starts_late_is_connected_to_in_version_5(
    tmp_path: Path,
) -> None:
    late = Mosquitto(tmp_path / "late")
    subscription = at(late.port)
    assert "Connection refused" in await refusal(subscription)
    late.start()
    try:
        async with subscription() as messages, mqtt_client(late.port) as client:
            await client.publish("stinger/a/samples", bytes(PACKET_MAX_BYTES))  # kept back, as only version 5 can
            await client.publish("stinger/a/samples", payload(0))
            assert (await first_of(messages)).payload == payload(0)
    finally:
        late.kill()


async def test_a_message_that_is_too_long_ends_the_connection() -> None:
    beginning = b"\x30\x80\x80\x80\x7d" + bytes(2 * PACKET_MAX_BYTES)
    async with scripted_broker(ACCEPTED_5, SUBSCRIBED_5 + beginning, None) as (port, _), at(port)() as messages:
        with pytest.raises(ConnectionError, match=f"a packet of 262144005 bytes, longer than {PACKET_MAX_BYTES}"):
            await first_of(messages)


async def test_a_dead_broker_is_noticed_even_if_it_asked_for_no_keepalive() -> None:
    no_keepalive = b"\x20\x06\x00\x00\x03\x13\x00\x00"
    subscription = partial(at, times=ConnectionTimes(keepalive_s=1))
    async with (
        scripted_broker(no_keepalive, SUBSCRIBED_5, *[None] * 100) as (port, _),
        subscription(port)() as messages,
    ):
        with pytest.raises(ConnectionError, match="nothing from the broker for 2 s"):
            await first_of(messages)


async def test_a_dead_broker_with_tls_does_not_delay_the_end(
    tls_mosquitto: Mosquitto, certificates: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client: dict[str, Any] = {"cert_file": certificates / "client.crt", "key_file": certificates / "client.key"}
    address = address_of(f"mqtts://127.0.0.1:{tls_mosquitto.port}", ca_file=certificates / "ca.crt", **client)
    assert tls_mosquitto.process is not None
    async with SampleSubscription(address, times=ConnectionTimes(keepalive_s=1))() as messages:
        tls_mosquitto.process.send_signal(signal.SIGSTOP)
        with pytest.raises(ConnectionError, match="nothing from the broker for 2 s"):
            await first_of(messages)
    assert "never retrieved" not in caplog.text


async def test_a_broker_that_accepts_and_closes_is_connected_to_in_the_same_version_again() -> None:
    async with scripted_broker(ACCEPTED_5, SUBSCRIBED_5) as (port, received):
        subscription = at(port)
        for _ in range(2):
            async with subscription() as messages:
                with pytest.raises(ConnectionError, match="the broker closed the connection"):
                    await first_of(messages)
    assert [protocol_level(packet) for packet in received if packet[0] == 0x10] == [5, 5]


async def test_a_message_whose_topic_is_not_utf_8_is_ignored() -> None:
    def published(topic: bytes) -> bytes:
        body = len(topic).to_bytes(2, "big") + topic + b"\x00" + b"payload"
        return bytes([0x30, len(body)]) + body

    received = published(b"stinger/\xff\xfe/samples") + published(b"stinger/a/samples")
    async with scripted_broker(ACCEPTED_5, SUBSCRIBED_5 + received) as (port, _), at(port)() as messages:
        assert (await first_of(messages)).topic == "stinger/a/samples"


async def test_messages_beyond_the_limit_are_dropped_with_one_warning(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    async with at(mosquitto.port, max_waiting=3)() as messages:
        async with mqtt_client(mosquitto.port) as client:
            for first in range(10):
                await client.publish("stinger/a/samples", payload(first), qos=1)
        await until(lambda: "samples_dropped" in caplog.text)
        got = [(await first_of(messages)).payload for _ in range(3)]
    assert got == [payload(first) for first in range(3)]
    assert [record.levelname for record in caplog.records if "dropped" in record.getMessage()] == ["WARNING"]


def _has(device: str, count: int, intake: Collecting) -> bool:
    return _times(intake, device).size >= count


def _times(intake: Collecting, device: str) -> npt.NDArray[np.uint32]:
    blocks = [block.samples["timestamp_ms"] for block in intake.blocks if block.device == device]
    return np.concatenate([np.empty(0, np.uint32), *blocks])
