"""Our MQTT packets against another implementation, mqtt5, and against bytes that no broker should send."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mqtt.packets import (
    BrokerLimits,
    ConnAckPacket,
    DisconnectPacket,
    MalformedPacketError,
    Packet,
    PacketDecoder,
    PacketTooLongError,
    PingRespPacket,
    ProtocolVersion,
    PubAckPacket,
    PublishPacket,
    SubAckPacket,
    Will,
    connect_packet,
    disconnect_packet,
    pingreq_packet,
    puback_packet,
    publish_packet,
    subscribe_packet,
)

V5, V311 = ProtocolVersion.V5, ProtocolVersion.V311

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
topics = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="+#\0"), min_size=1, max_size=40)
payloads = st.binary(max_size=400)
packet_ids = st.integers(1, 65_535)
qos_levels = st.sampled_from([0, 1])


def decoded(data: bytes, version: ProtocolVersion = V5, cuts: Iterable[int] = ()) -> list[Packet]:
    """What a decoder makes of ``data`` that arrives in pieces, cut at ``cuts``."""
    decoder = PacketDecoder(version)
    ends = [*sorted(cut for cut in cuts if cut < len(data)), len(data)]
    begins = [0, *ends]
    return [packet for begin, end in zip(begins, ends, strict=False) for packet in decoder.feed(data[begin:end])]


def read_by_mqtt5(data: bytes) -> mqtt5.Packet:
    packet, size = mqtt5.read(memoryview(data))
    assert size == len(data)
    return packet


@given(topics, payloads, st.booleans(), st.none() | packet_ids, st.none() | st.binary(max_size=20))
def test_a_publish_is_read_by_mqtt5_as_it_was_meant(
    topic: str, payload: bytes, retain: bool, packet_id: int | None, correlation_data: bytes | None
) -> None:
    data = publish_packet(V5, topic, payload, packet_id=packet_id, retain=retain, correlation_data=correlation_data)
    read = read_by_mqtt5(data)
    assert isinstance(read, mqtt5.PublishPacket)
    assert (read.topic, read.payload, read.retain, read.packet_id) == (topic, payload, retain, packet_id)
    assert read.qos == (mqtt5.QoS.AT_MOST_ONCE if packet_id is None else mqtt5.QoS.AT_LEAST_ONCE)
    assert read.correlation_data == correlation_data
    assert not read.duplicate


@given(
    texts,
    st.none() | texts,
    st.none() | texts,
    st.none() | st.tuples(topics, payloads, qos_levels, st.booleans()),
    st.none() | st.integers(1, 1 << 30),
)
def test_a_connect_is_read_by_mqtt5_as_it_was_meant(
    identifier: str,
    user: str | None,
    password: str | None,
    will: tuple[str, bytes, int, bool] | None,
    max_packet_bytes: int | None,
) -> None:
    made = None if will is None else Will(will[0], will[1], 1 if will[2] else 0, will[3])
    data = connect_packet(
        V5, identifier, keepalive_s=15, user=user, password=password, will=made, max_packet_bytes=max_packet_bytes
    )
    read = read_by_mqtt5(data)
    assert isinstance(read, mqtt5.ConnectPacket)
    assert (read.client_id, read.username, read.clean_start, read.keep_alive) == (identifier, user, True, 15)
    assert read.password == (None if password is None else password.encode())
    assert read.max_packet_size == max_packet_bytes
    if will is None:
        assert read.will is None
    else:
        assert read.will is not None
        assert (read.will.topic, read.will.payload or b"", read.will.retain) == (will[0], will[1], will[3])
        assert read.will.qos == (mqtt5.QoS.AT_LEAST_ONCE if will[2] else mqtt5.QoS.AT_MOST_ONCE)


def test_the_other_packets_of_a_client_are_read_by_mqtt5_as_they_were_meant() -> None:
    subscribe = read_by_mqtt5(subscribe_packet(V5, 7, [("a/+", 0), ("b/#", 1)]))
    assert isinstance(subscribe, mqtt5.SubscribePacket)
    assert subscribe.packet_id == 7
    filters = [(each.pattern, each.max_qos == mqtt5.QoS.AT_LEAST_ONCE) for each in subscribe.topic_filters]
    assert filters == [("a/+", False), ("b/#", True)]
    puback = read_by_mqtt5(puback_packet(513))
    assert isinstance(puback, mqtt5.PubAckPacket)
    assert puback.packet_id == 513
    assert isinstance(read_by_mqtt5(pingreq_packet()), mqtt5.PingReqPacket)
    goodbye, complaint = read_by_mqtt5(disconnect_packet(V5)), read_by_mqtt5(disconnect_packet(V5, 0x81))
    assert isinstance(goodbye, mqtt5.DisconnectPacket)
    assert goodbye.reason_code == mqtt5.DisconnectReasonCode.NORMAL_DISCONNECTION
    assert isinstance(complaint, mqtt5.DisconnectPacket)
    assert complaint.reason_code == mqtt5.DisconnectReasonCode.MALFORMED_PACKET


@given(
    st.lists(
        st.tuples(topics, payloads, st.booleans(), st.none() | packet_ids, st.none() | topics, st.none() | payloads),
        max_size=4,
    ),
    st.lists(st.tuples(texts, texts), max_size=2),
    st.sets(st.integers(1, 1500)),
)
def test_publishes_that_mqtt5_wrote_arrive_in_whatever_pieces(
    messages: list[tuple[str, bytes, bool, int | None, str | None, bytes | None]],
    user_properties: list[tuple[str, str]],
    cuts: set[int],
) -> None:
    data = b"".join(
        mqtt5.PublishPacket(
            topic,
            payload,
            qos=mqtt5.QoS.AT_MOST_ONCE if packet_id is None else mqtt5.QoS.AT_LEAST_ONCE,
            retain=retain,
            packet_id=packet_id,
            response_topic=response_topic,
            correlation_data=correlation_data,
            user_properties=user_properties,
            message_expiry_interval=5,
            content_type="text",
            subscription_ids=[300],
        ).write()
        for topic, payload, retain, packet_id, response_topic, correlation_data in messages
    )
    assert decoded(data, V5, cuts) == [PublishPacket(*message) for message in messages]


@given(
    st.builds(
        BrokerLimits,
        receive_maximum=st.integers(1, 65_535),
        maximum_packet_bytes=st.none() | st.integers(1, 1 << 30),
        maximum_qos=st.just(1),
        retain_available=st.booleans(),
        server_keep_alive_s=st.none() | st.integers(0, 65_535),
        assigned_identifier=st.none() | texts,
    ),
    texts,
)
def test_a_connack_that_mqtt5_wrote_is_read_with_all_that_it_announces(limits: BrokerLimits, reason: str) -> None:
    data = mqtt5.ConnAckPacket(
        reason_code=mqtt5.ConnAckReasonCode.BANNED,
        receive_max=limits.receive_maximum,
        max_packet_size=limits.maximum_packet_bytes,
        retain_available=limits.retain_available,
        max_qos=mqtt5.QoS.AT_LEAST_ONCE,
        server_keep_alive=limits.server_keep_alive_s,
        assigned_client_id=limits.assigned_identifier,
        reason_str=reason,
        user_properties=[("a", "b")],
    ).write()
    assert decoded(data) == [ConnAckPacket(0x8A, reason, limits)]


def test_the_other_packets_of_a_broker_are_read_as_mqtt5_wrote_them() -> None:
    data = b"".join(
        [
            mqtt5.ConnAckPacket().write(),
            mqtt5.PubAckPacket(3).write(),
            mqtt5.PubAckPacket(4, reason_code=mqtt5.PubAckReasonCode.NOT_AUTHORIZED, reason_str="no").write(),
            mqtt5.SubAckPacket(5, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE], reason_str="yes").write(),
            mqtt5.PingRespPacket().write(),
            mqtt5.DisconnectPacket(
                reason_code=mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER, reason_str="elsewhere"
            ).write(),
            mqtt5.DisconnectPacket().write(),
        ]
    )
    assert decoded(data) == [
        ConnAckPacket(0, "", BrokerLimits()),
        PubAckPacket(3, 0),
        PubAckPacket(4, 0x87, "no"),
        SubAckPacket(5, (1,)),
        PingRespPacket(),
        DisconnectPacket(0x8E, "elsewhere"),
        DisconnectPacket(0, ""),
    ]


@given(topics, payloads, st.booleans(), st.none() | packet_ids, st.sets(st.integers(1, 500)))
def test_a_publish_of_3_1_1_is_read_as_it_was_written(
    topic: str, payload: bytes, retain: bool, packet_id: int | None, cuts: set[int]
) -> None:
    data = publish_packet(V311, topic, payload, packet_id=packet_id, retain=retain, correlation_data=b"unused")
    assert decoded(data, V311, cuts) == [PublishPacket(topic, payload, retain, packet_id)]


def test_the_packets_of_3_1_1_are_the_bytes_of_its_standard() -> None:
    will = Will("w", b"gone", 1, retain=True)
    assert connect_packet(V311, "me", keepalive_s=15, user="u", password="p", will=will, max_packet_bytes=9) == (
        b"\x10\x1d\x00\x04MQTT\x04\xee\x00\x0f\x00\x02me\x00\x01w\x00\x04gone\x00\x01u\x00\x01p"
    )
    assert subscribe_packet(V311, 7, [("a/+", 1)]) == b"\x82\x08\x00\x07\x00\x03a/+\x01"
    assert disconnect_packet(V311, 0x81) == b"\xe0\x00"
    answers = b"\x20\x02\x00\x05" + b"\x40\x02\x00\x03" + b"\x90\x04\x00\x07\x01\x80" + b"\xd0\x00"
    assert decoded(answers, V311) == [
        ConnAckPacket(5, "", BrokerLimits()),
        PubAckPacket(3, 0),
        SubAckPacket(7, (1, 0x80)),
        PingRespPacket(),
    ]


def test_a_refusal_in_the_form_of_the_other_version_is_understood() -> None:
    assert decoded(b"\x20\x02\x00\x01", V5) == [ConnAckPacket(1, "", BrokerLimits())]
    assert decoded(b"\x20\x03\x00\x84\x00", V311) == [ConnAckPacket(0x84, "", BrokerLimits())]


def test_a_topic_that_is_not_utf_8_is_read_as_no_topic() -> None:
    assert decoded(b"\x30\x05\x00\x02\xff\xfe\x00", V5) == [PublishPacket("", b"", False, None)]


@given(st.binary(max_size=60), st.sampled_from([V5, V311]), st.sets(st.integers(1, 60)))
def test_arbitrary_bytes_are_packets_or_malformed(data: bytes, version: ProtocolVersion, cuts: set[int]) -> None:
    with suppress(MalformedPacketError):
        decoded(data, version, cuts)


@given(
    st.sampled_from([0x20, 0x30, 0x32, 0x33, 0x40, 0x90, 0xD0, 0xE0]),
    st.binary(max_size=60),
    st.sampled_from([V5, V311]),
)
def test_a_packet_with_an_arbitrary_body_is_read_or_malformed_and_never_reads_the_next(
    first: int, body: bytes, version: ProtocolVersion
) -> None:
    data = bytes([first, len(body)]) + body
    try:
        alone = decoded(data, version)
    except MalformedPacketError:
        with pytest.raises(MalformedPacketError):
            decoded(data + b"\xd0\x00", version)
    else:
        assert decoded(data + b"\xd0\x00", version) == [*alone, PingRespPacket()]


def test_packets_before_a_malformed_one_are_delivered() -> None:
    packets = PacketDecoder(V5).feed(b"\xd0\x00\x00\x00")
    assert next(packets) == PingRespPacket()
    with pytest.raises(MalformedPacketError, match="begins with 0x00"):
        next(packets)


def test_a_packet_that_is_too_long_is_refused_before_it_has_arrived() -> None:
    with pytest.raises(PacketTooLongError, match="a packet of 103 bytes, longer than 102"):
        list(PacketDecoder(V5, 102).feed(b"\x30\x65" + bytes(10)))
    assert list(PacketDecoder(V5, 103).feed(b"\x30\x65" + bytes(10))) == []
    with pytest.raises(PacketTooLongError):
        list(PacketDecoder(V5, 102).feed(b"\x30\xff\xff\xff\x7f"))


@pytest.mark.parametrize("length", [b"\x80\x80\x80\x80", b"\xff\xff\xff\xff\x01"])
def test_a_length_of_more_than_four_bytes_is_malformed(length: bytes) -> None:
    with pytest.raises(MalformedPacketError, match="more than four bytes"):
        decoded(b"\x30" + length)


@pytest.mark.parametrize("size", [127 - 6, 128 - 6, 16_383 - 6, 16_384 - 6, 2_097_151 - 6, 2_097_152 - 6])
def test_lengths_around_each_further_byte_survive(size: int) -> None:
    data = publish_packet(V5, "abc", bytes(size))
    assert decoded(data, V5, [1, 2, 3, 4, 5]) == [PublishPacket("abc", bytes(size), False, None)]


def test_a_field_that_mqtt_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="70000 bytes are too many for an MQTT field"):
        connect_packet(V5, "x" * 70_000, keepalive_s=15)
    with pytest.raises(ValueError, match="bytes are too many for an MQTT packet"):
        publish_packet(V5, "a", bytes(268_435_456))
