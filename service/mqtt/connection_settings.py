"""What a connection to a broker is opened with: address, version of MQTT, will, and time limits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot

QoS = Literal[0, 1]


class ProtocolVersion(Enum):
    """A version of MQTT; the value is the protocol level of its CONNECT packet."""

    V311 = 4
    V5 = 5

    def __str__(self) -> str:
        return "5" if self is ProtocolVersion.V5 else "3.1.1"


@dataclass(frozen=True, slots=True)
class Will:
    """The message that the broker publishes if the connection ends without DISCONNECT."""

    topic: str
    payload: bytes
    qos: QoS
    retain: bool


@dataclass(frozen=True, slots=True)
class ConnectionTimes:
    """Time limits of a connection."""

    connect_s: float = 5.0
    """To connect and be accepted, and then to have a subscription answered."""
    keepalive_s: int = 15
    """The longest time without a packet to the broker. It is given up after about twice as long without one from it."""
    goodbye_s: float = 0.5
    """To deliver DISCONNECT and close; after that the connection is cut."""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """What one connection needs to know before it is opened."""

    address: BrokerAddress
    version: ProtocolVersion
    identifier: str
    will: Will | None
    max_packet_bytes: int
    times: ConnectionTimes
    root: TopicRoot
    """Topics below ``stinger`` are below this one at the broker, and so are topic filters and the will."""
