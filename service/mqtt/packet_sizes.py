"""How long the packets of MQTT 5 are, in bytes."""

from __future__ import annotations

from collections.abc import Iterable


def publish_packet_bytes(topic: str, payload: bytes, qos: int, correlation_data: bytes | None = None) -> int:
    """Return the length of the PUBLISH packet of MQTT 5 with this content and no other properties.

    >>> publish_packet_bytes("a/b", b"12345", 1)
    15
    """
    properties = 0 if correlation_data is None else 3 + len(correlation_data)
    rest = 2 + len(topic.encode()) + (2 if qos else 0) + _length_bytes(properties) + properties + len(payload)
    return 1 + _length_bytes(rest) + rest


def subscribe_packet_bytes(filters: Iterable[str]) -> int:
    """Return the length of the SUBSCRIBE packet of MQTT 5 with these topic filters and no properties.

    >>> subscribe_packet_bytes(["a/+", "b"])
    15
    """
    rest = 2 + 1 + sum(2 + len(name.encode()) + 1 for name in filters)
    return 1 + _length_bytes(rest) + rest


def _length_bytes(length: int) -> int:
    """Return how many bytes MQTT's encoding of ``length`` has: seven bits in each."""
    return max(1, -(-length.bit_length() // 7))
