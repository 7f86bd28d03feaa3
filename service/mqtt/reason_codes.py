"""The reasons that a broker gives for what it refuses or ends, as text for a person."""

from __future__ import annotations

from typing import Final

REFUSED: Final = 0x80
"""From here up, a code is a refusal."""

MALFORMED_PACKET: Final = 0x81
PACKET_TOO_LARGE: Final = 0x95

_TEXTS: Final = {
    # CONNACK of MQTT 3.1.1, section 3.2.2.3; MQTT 5 does not use these numbers there.
    0x01: "unacceptable protocol version",
    0x02: "client identifier rejected",
    0x03: "server unavailable",
    0x04: "bad user name or password",
    0x05: "not authorized",
    # MQTT 5, section 2.4.
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "unsupported protocol version",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8C: "bad authentication method",
    0x8D: "keep alive timeout",
    0x8E: "session taken over: another client uses this id",
    0x8F: "topic filter invalid",
    0x90: "topic name invalid",
    0x91: "packet identifier in use",
    0x92: "packet identifier not found",
    0x93: "receive maximum exceeded",
    0x94: "topic alias invalid",
    0x95: "packet too large",
    0x96: "message rate too high",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x99: "payload format invalid",
    0x9A: "retain not supported",
    0x9B: "QoS not supported",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9E: "shared subscriptions not supported",
    0x9F: "connection rate exceeded",
    0xA0: "maximum connect time",
    0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}


def reason_text(code: int, explanation: str = "") -> str:
    """Return the meaning of ``code``, its number, and the broker's own ``explanation`` if it gave one.

    >>> reason_text(0x8E)
    'session taken over: another client uses this id (0x8e)'
    >>> reason_text(0x97, "10 clients at most")
    'quota exceeded (0x97): 10 clients at most'
    """
    text = f"{_TEXTS.get(code, 'unknown reason')} (0x{code:02x})"
    return f"{text}: {explanation}" if explanation else text
