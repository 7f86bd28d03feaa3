"""Encode and decode MQTT control packets, versions 5 and 3.1.1. Pure: bytes in, values out; no I/O.

Covers what a client needs that subscribes and publishes at QoS 0 and 1 with clean sessions and without topic aliases.
Every length that a broker sends is checked before it is used. Sources: OASIS Standard MQTT Version 5.0 (2019) and
3.1.1 (2014).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, NamedTuple

QoS = Literal[0, 1]

LONGEST_PACKET: Final = 268_435_460
"""Bytes of the longest packet that MQTT can express, its header included."""

_CONNECT, _CONNACK, _PUBLISH, _PUBACK = 0x10, 0x20, 0x30, 0x40
_SUBSCRIBE, _SUBACK, _PINGREQ, _PINGRESP, _DISCONNECT = 0x82, 0x90, 0xC0, 0xD0, 0xE0
_RETAIN, _QOS, _QOS_1 = 0x01, 0x06, 0x02
_USERNAME, _PASSWORD, _WILL, _CLEAN = 0x80, 0x40, 0x04, 0x02
_LONGEST_TEXT: Final = 65_535

_RESPONSE_TOPIC, _CORRELATION_DATA, _ASSIGNED_IDENTIFIER = 0x08, 0x09, 0x12
_SERVER_KEEP_ALIVE, _REASON_STRING, _RECEIVE_MAXIMUM = 0x13, 0x1F, 0x21
_MAXIMUM_QOS, _RETAIN_AVAILABLE, _MAXIMUM_PACKET_SIZE, _USER_PROPERTY = 0x24, 0x25, 0x27, 0x26
_ONE_BYTE: Final = frozenset({0x01, 0x17, 0x19, _MAXIMUM_QOS, _RETAIN_AVAILABLE, 0x28, 0x29, 0x2A})
_TWO_BYTES: Final = frozenset({_SERVER_KEEP_ALIVE, _RECEIVE_MAXIMUM, 0x22, 0x23})
_FOUR_BYTES: Final = frozenset({0x02, 0x11, 0x18, _MAXIMUM_PACKET_SIZE})
_TEXT: Final = frozenset({0x03, _RESPONSE_TOPIC, _ASSIGNED_IDENTIFIER, 0x15, 0x1A, 0x1C, _REASON_STRING})
_BINARY: Final = frozenset({_CORRELATION_DATA, 0x16})
_VARIABLE: Final = 0x0B


class ProtocolVersion(Enum):
    """A version of MQTT; the value is the protocol level of its CONNECT packet."""

    V311 = 4
    V5 = 5

    def __str__(self) -> str:
        return "5" if self is ProtocolVersion.V5 else "3.1.1"


class MalformedPacketError(ValueError):
    """The bytes are not an MQTT packet that a broker may send to this client."""


class PacketTooLongError(ValueError):
    """A packet is longer than the limit of its reader."""


class PublishPacket(NamedTuple):
    """PUBLISH from the broker. A named tuple, since it is built for each message of samples: 0.5 µs less than a dataclass."""

    topic: str
    """Empty if the topic is not UTF-8, which no subscriber can want."""
    payload: bytes
    retain: bool
    packet_id: int | None
    """To acknowledge; ``None`` at QoS 0."""
    response_topic: str | None = None
    correlation_data: bytes | None = None


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """What a broker announced in its CONNACK, or else MQTT's defaults; MQTT 3.1.1 announces nothing."""

    receive_maximum: int = 65_535
    """How many publishes at QoS 1 it takes before it has acknowledged the first."""
    maximum_packet_bytes: int | None = None
    """The longest packet that it accepts; ``None`` for no limit."""
    maximum_qos: int = 2
    retain_available: bool = True
    server_keep_alive_s: int | None = None
    """The keep alive to use instead of ours, in seconds; 0 is none."""
    assigned_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class ConnAckPacket:
    """CONNACK: ``code`` 0 accepts the connection."""

    code: int
    reason: str
    """The broker's own explanation, often empty."""
    limits: BrokerLimits


@dataclass(frozen=True, slots=True)
class PubAckPacket:
    """PUBACK: from ``code`` 0x80 up, the broker has refused the message."""

    packet_id: int
    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SubAckPacket:
    """SUBACK: a code for each topic filter, a refusal from 0x80 up."""

    packet_id: int
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PingRespPacket:
    """PINGRESP."""


@dataclass(frozen=True, slots=True)
class DisconnectPacket:
    """DISCONNECT: the broker ends the connection, which only MQTT 5 can say."""

    code: int
    reason: str


Packet = PublishPacket | ConnAckPacket | PubAckPacket | SubAckPacket | PingRespPacket | DisconnectPacket


@dataclass(frozen=True, slots=True)
class Will:
    """The message that the broker publishes if the connection ends without DISCONNECT."""

    topic: str
    payload: bytes
    qos: QoS
    retain: bool


class PacketDecoder:
    """Splits the bytes of one connection into packets.

    ``max_bytes`` is the longest packet taken, header included. A longer one is refused as soon as its length is known,
    so that a broker, or whoever publishes through it, cannot fill the memory.
    """

    def __init__(self, version: ProtocolVersion, max_bytes: int = LONGEST_PACKET) -> None:
        self._v5 = version is ProtocolVersion.V5
        self._max_bytes = max_bytes
        self._partial = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Yield the packets that ``data`` completes. Exhaust the iterator before the next call.

        Raises :class:`MalformedPacketError` and :class:`PacketTooLongError`, behind the packets before the wrong one; the
        connection is of no use then.
        """
        if self._partial:
            self._partial += data
            if len(self._partial) < self._needed:
                return
            data = bytes(self._partial)
            self._partial.clear()
        start, size = 0, len(data)
        while start < size:
            body, end = _body_of(data, start)
            if end - start > self._max_bytes:
                raise PacketTooLongError(f"a packet of {end - start} bytes, longer than {self._max_bytes}")
            if end > size:
                self._partial += data[start:]
                self._needed = end - start
                return
            first = data[start]
            if first & 0xF0 == _PUBLISH:
                yield self._publish(first, data, body, end)
            else:
                yield self._other(first, data[body:end])
            start = end

    def _publish(self, first: int, data: bytes, start: int, end: int) -> PublishPacket:
        after = start + 2
        if after > end or (after := after + (data[start] << 8 | data[start + 1])) > end:
            raise MalformedPacketError("a topic longer than its packet")
        try:
            topic = data[start + 2 : after].decode()
        except UnicodeDecodeError:
            topic = ""
        packet_id = None
        if first & _QOS:
            if first & _QOS != _QOS_1:
                raise MalformedPacketError("a publish at a QoS that was not subscribed to")
            packet_id = _uint16(data[after : min(after + 2, end)])
            after += 2
        if not self._v5:
            return PublishPacket(topic, data[after:end], bool(first & _RETAIN), packet_id)
        if after < end and data[after] == 0:  # no properties, as with nearly every message
            return PublishPacket(topic, data[after + 1 : end], bool(first & _RETAIN), packet_id)
        rest = _Fields(data[after:end])
        properties = rest.properties()
        return PublishPacket(
            topic,
            rest.remaining(),
            bool(first & _RETAIN),
            packet_id,
            properties.texts.get(_RESPONSE_TOPIC),
            properties.binaries.get(_CORRELATION_DATA),
        )

    def _other(self, first: int, body: bytes) -> Packet:
        fields = _Fields(body)
        match first:
            case 0x40:  # PUBACK
                packet_id = fields.uint16()
                code, reason = self._code_and_reason(fields)
                return PubAckPacket(packet_id, code, reason)
            case 0x20:  # CONNACK
                return self._connack(fields)
            case 0x90:  # SUBACK
                packet_id = fields.uint16()
                if self._v5:
                    fields.properties()
                return SubAckPacket(packet_id, tuple(fields.remaining()))
            case 0xD0:  # PINGRESP
                return PingRespPacket()
            case 0xE0 if self._v5:  # DISCONNECT
                return DisconnectPacket(*self._code_and_reason(fields))
            case _:
                raise MalformedPacketError(f"a packet that begins with 0x{first:02x}, which no broker sends")

    def _code_and_reason(self, fields: _Fields) -> tuple[int, str]:
        """Return a reason code, 0 if it was left out, and the reason string, which is in the properties."""
        if not self._v5 or fields.at_end():
            return 0, ""
        code = fields.byte()
        return code, "" if fields.at_end() else fields.properties().texts.get(_REASON_STRING, "")

    def _connack(self, fields: _Fields) -> ConnAckPacket:
        fields.byte()  # whether there was a session: never, all are clean
        code = fields.byte()
        # A broker of 3.1.1 answers a CONNECT of version 5 without properties, and one of 5 may answer 3.1.1 with them.
        if not self._v5 or fields.at_end():
            return ConnAckPacket(code, "", BrokerLimits())
        properties = fields.properties()
        numbers, defaults = properties.numbers, BrokerLimits()
        limits = BrokerLimits(
            receive_maximum=numbers.get(_RECEIVE_MAXIMUM, defaults.receive_maximum),
            maximum_packet_bytes=numbers.get(_MAXIMUM_PACKET_SIZE),
            maximum_qos=numbers.get(_MAXIMUM_QOS, defaults.maximum_qos),
            retain_available=bool(numbers.get(_RETAIN_AVAILABLE, 1)),
            server_keep_alive_s=numbers.get(_SERVER_KEEP_ALIVE),
            assigned_identifier=properties.texts.get(_ASSIGNED_IDENTIFIER),
        )
        return ConnAckPacket(code, properties.texts.get(_REASON_STRING, ""), limits)


def connect_packet(
    version: ProtocolVersion,
    identifier: str,
    *,
    keepalive_s: int,
    user: str | None = None,
    password: str | None = None,
    will: Will | None = None,
    max_packet_bytes: int | None = None,
) -> bytes:
    """Return CONNECT for a clean session; MQTT 5 asks the broker to send nothing longer than ``max_packet_bytes``."""
    v5 = version is ProtocolVersion.V5
    flags = _CLEAN
    properties = b""
    if max_packet_bytes is not None:
        properties = bytes([_MAXIMUM_PACKET_SIZE]) + struct.pack(">I", max_packet_bytes)
    parts = [_binary(identifier.encode())]
    if will is not None:
        flags |= _WILL | will.qos << 3 | will.retain << 5
        parts += [b"\x00" if v5 else b"", _text(will.topic), _binary(will.payload)]
    if user is not None:
        flags |= _USERNAME
        parts.append(_text(user))
    if password is not None:
        flags |= _PASSWORD
        parts.append(_binary(password.encode()))
    header = _text("MQTT") + bytes([version.value, flags]) + struct.pack(">H", keepalive_s)
    return _packet(_CONNECT, header, _prefixed(properties) if v5 else b"", *parts)


def publish_packet(
    version: ProtocolVersion,
    topic: str,
    payload: bytes,
    *,
    packet_id: int | None = None,
    retain: bool = False,
    correlation_data: bytes | None = None,
) -> bytes:
    """Return PUBLISH, at QoS 1 with a ``packet_id`` and at QoS 0 without; only MQTT 5 carries ``correlation_data``.

    Raises ``ValueError`` for a topic that cannot be published to.
    """
    if not topic or any(character in topic for character in "+#\0"):
        raise ValueError(f"no topic to publish to: {topic!r}")
    first = _PUBLISH | (_RETAIN if retain else 0)
    number = b""
    if packet_id is not None:
        first |= _QOS_1
        number = packet_id.to_bytes(2, "big")
    if version is ProtocolVersion.V311:
        return _packet(first, _text(topic), number, payload)
    properties = b"\x00"
    if correlation_data is not None:
        properties = _prefixed(bytes([_CORRELATION_DATA]) + _binary(correlation_data))
    return _packet(first, _text(topic), number, properties, payload)


def puback_packet(packet_id: int) -> bytes:
    """Return PUBACK, which takes over the message."""
    return struct.pack(">BBH", _PUBACK, 2, packet_id)


def subscribe_packet(version: ProtocolVersion, packet_id: int, filters: Sequence[tuple[str, QoS]]) -> bytes:
    """Return SUBSCRIBE for topic filters, each with the highest QoS at which it is to be delivered."""
    properties = b"\x00" if version is ProtocolVersion.V5 else b""
    parts = [_text(name) + bytes([qos]) for name, qos in filters]
    return _packet(_SUBSCRIBE, packet_id.to_bytes(2, "big"), properties, *parts)


def pingreq_packet() -> bytes:
    """Return PINGREQ."""
    return bytes([_PINGREQ, 0])


def disconnect_packet(version: ProtocolVersion, code: int = 0) -> bytes:
    """Return DISCONNECT; the broker then publishes no will. ``code`` says why, in MQTT 5 only."""
    return bytes([_DISCONNECT, 1, code]) if code and version is ProtocolVersion.V5 else bytes([_DISCONNECT, 0])


class _Properties(NamedTuple):
    """The properties of a packet by their identifiers; of one that stands there twice, the last."""

    numbers: dict[int, int]
    texts: dict[int, str]
    binaries: dict[int, bytes]


class _Fields:
    """Reads a packet's fields one after another. Raises :class:`MalformedPacketError` where it ends too early."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def at_end(self) -> bool:
        return self._position == len(self._data)

    def byte(self) -> int:
        return self._take(1)[0]

    def uint16(self) -> int:
        return int.from_bytes(self._take(2), "big")

    def binary(self) -> bytes:
        return self._take(self.uint16())

    def text(self) -> str:
        try:
            return self.binary().decode()
        except UnicodeDecodeError as error:
            raise MalformedPacketError("a text that is not UTF-8") from error

    def remaining(self) -> bytes:
        return self._take(len(self._data) - self._position)

    def variable(self) -> int:
        value, shift = 0, 0
        while shift < 28:  # noqa: PLR2004 - four bytes of seven bits
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the flag of a further byte
                return value
            shift += 7
        raise MalformedPacketError("a length of more than four bytes")

    def properties(self) -> _Properties:
        fields = _Fields(self._take(self.variable()))
        found = _Properties({}, {}, {})
        while not fields.at_end():
            identifier = fields.variable()
            if identifier in _ONE_BYTE:
                found.numbers[identifier] = fields.byte()
            elif identifier in _TWO_BYTES:
                found.numbers[identifier] = fields.uint16()
            elif identifier in _FOUR_BYTES:
                found.numbers[identifier] = fields.uint16() << 16 | fields.uint16()
            elif identifier in _TEXT:
                found.texts[identifier] = fields.text()
            elif identifier in _BINARY:
                found.binaries[identifier] = fields.binary()
            elif identifier == _VARIABLE:
                found.numbers[identifier] = fields.variable()
            elif identifier == _USER_PROPERTY:
                fields.text()
                fields.text()
            else:
                raise MalformedPacketError(f"property 0x{identifier:02x}, which MQTT does not have")
        return found

    def _take(self, count: int) -> bytes:
        begin, self._position = self._position, self._position + count
        if self._position > len(self._data):
            raise MalformedPacketError("a packet that ends too early")
        return self._data[begin : self._position]


def _body_of(data: bytes, start: int) -> tuple[int, int]:
    """Return where the body of the packet at ``start`` begins and ends.

    While the length is incomplete, the end is one more than what has arrived.
    """
    length, position, shift = 0, start + 1, 0
    while position < len(data):
        byte = data[position]
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the flag of a further byte
            return position, position + length
        shift += 7
        if shift == 28:  # noqa: PLR2004 - four bytes of seven bits
            raise MalformedPacketError("a length of more than four bytes")
    return position, position + 1


def _uint16(data: bytes) -> int:
    if len(data) != 2:  # noqa: PLR2004 - bytes of a 16-bit number
        raise MalformedPacketError("a packet that ends too early")
    return data[0] << 8 | data[1]


def _packet(first: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes([first]) + _prefixed(body)


def _prefixed(data: bytes) -> bytes:
    """Return ``data`` behind its length as a variable byte integer. Raises ``ValueError`` if it is too long for MQTT."""
    length, digits = len(data), bytearray()
    while length >= 0x80:  # noqa: PLR2004 - more than seven bits
        digits.append(length & 0x7F | 0x80)
        length >>= 7
    digits.append(length)
    if len(digits) > 4:  # noqa: PLR2004 - as MQTT has it
        raise ValueError(f"{len(data)} bytes are too many for an MQTT packet")
    return bytes(digits) + data


def _text(text: str) -> bytes:
    return _binary(text.encode())


def _binary(data: bytes) -> bytes:
    if len(data) > _LONGEST_TEXT:
        raise ValueError(f"{len(data)} bytes are too many for an MQTT field, which takes {_LONGEST_TEXT}")
    return len(data).to_bytes(2, "big") + data
