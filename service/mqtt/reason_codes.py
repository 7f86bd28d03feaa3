"""The reasons that a broker gives for what it refuses or ends, as text for a person, in the words of paho-mqtt."""

from __future__ import annotations

from typing import Final

from paho.mqtt.client import convert_connack_rc_to_reason_code
from paho.mqtt.enums import ConnackCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

REFUSED: Final = 0x80
"""From here up, a code is a refusal."""
RECEIVE_MAXIMUM_EXCEEDED: Final = 0x93
PACKET_TOO_LARGE: Final = 0x95
MESSAGE_RATE_TOO_HIGH: Final = 0x96
RETAIN_NOT_SUPPORTED: Final = 0x9A
QOS_NOT_SUPPORTED: Final = 0x9B
WILDCARDS_NOT_SUPPORTED: Final = 0xA2
NOT_ABOUT_A_MESSAGE: Final = frozenset({0x00, 0x04, 0x88, 0x89, 0x8B, 0x8D, 0x8E, 0x98, 0x9C, 0x9D, 0x9F, 0xA0})
"""Reasons to end a connection whatever was sent through it, such as a shutdown, or another client with the same
identifier."""
TEMPORARY: Final = frozenset({0x80, 0x83, 0x97})
"""Refusals of a message that may be accepted later: unspecified error, implementation specific error, quota
exceeded."""


def connack_text(code: int, explanation: str = "") -> str:
    """Return why a broker refuses a connection: its ``code``, and its own ``explanation`` if it gave one.

    A code of MQTT 3.1.1 becomes that of MQTT 5 with the same meaning.

    >>> connack_text(0x97, "10 clients at most")
    'Quota exceeded (0x97): 10 clients at most'
    >>> connack_text(5)
    'Not authorized (0x87)'
    """
    if ConnackCode.CONNACK_ACCEPTED < code < REFUSED:
        code = convert_connack_rc_to_reason_code(code).value  # type: ignore[arg-type]  # it takes any number
    return _text(PacketTypes.CONNACK, code, explanation)


def suback_text(code: int) -> str:
    """Return why a broker refuses a subscription."""
    return _text(PacketTypes.SUBACK, code)


def puback_text(code: int, explanation: str = "") -> str:
    """Return why a broker refuses a message."""
    return _text(PacketTypes.PUBACK, code, explanation)


def disconnect_text(code: int, explanation: str = "") -> str:
    """Return why a broker ends a connection.

    >>> disconnect_text(0x8E)
    'Session taken over (0x8e)'
    """
    return _text(PacketTypes.DISCONNECT, code, explanation)


def _text(packet_type: int, code: int, explanation: str = "") -> str:
    try:
        name = ReasonCode(packet_type, identifier=code).getName()
    except (KeyError, ValueError):  # not a code that MQTT defines for this type of packet
        name = "unknown reason"
    text = f"{name} (0x{code:02x})"
    return f"{text}: {explanation}" if explanation else text
