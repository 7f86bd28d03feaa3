"""The two kinds of connections to a broker, and what their tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from service.config.broker_address import BrokerAddress
from service.mqtt.aiomqtt_connection import AiomqttConnection
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.connection import (
    Connection,
    IncomingMessage,
)
from service.mqtt.connector import Connector
from service.mqtt.errors import MqttError
from service.mqtt.gmqtt_connection import GmqttConnection
from service.mqtt.messages import OutgoingMessage
from tests.helpers.patience import PATIENCE_S

ACCEPTED_5 = b"\x20\x03\x00\x00\x00"
SUBSCRIBED_5 = b"\x90\x04\x00\x01\x00\x01"
MAX_BYTES = 10_000


@dataclass(frozen=True)
class Kind:
    """A kind of connection and its quirks."""

    make: Callable[..., Connection]
    goodbye: bytes
    """Its DISCONNECT packet."""
    no_explanations: str = ""
    """Why the broker's own explanations are not in its reasons."""
    no_packet_limit: str = ""
    """Why the longest packet that the broker accepts is not in its limits."""
    ignores_garbage: str = ""
    """Why packets of an unknown type do not end the connection."""


AIOMQTT = Kind(AiomqttConnection, goodbye=b"\xe0\x00")
GMQTT = Kind(
    GmqttConnection,
    goodbye=b"\xe0\x02\x00\x00",
    no_explanations="gmqtt reads a refusal's code only",
    no_packet_limit="gmqtt hides the broker's limit behind ours",
    ignores_garbage="gmqtt skips packets of a type that it does not know",
)


def connector(kind: Kind, port: int, **settings: Any) -> Connector[Connection]:
    return Connector(kind.make, BrokerAddress("127.0.0.1", port), **settings)


def publisher(port: int, **settings: Any) -> Connector[AiomqttConnection]:
    return Connector(AiomqttConnection, BrokerAddress("127.0.0.1", port), **settings)


def ignore(_message: IncomingMessage, _read_ns: int) -> None:
    pass


def message(topic: str = "a/b", payload: bytes = b"x", *, retain: bool = False) -> OutgoingMessage:
    return OutgoingMessage(topic, payload, 1, retain, DeliveryPolicy.LIVE)


async def reason_of_loss(connection: Connection) -> str:
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(MqttError) as caught:
            await connection.wait_lost()
    return str(caught.value)


async def refusal(broker: Connector[Connection]) -> str:
    """Why there was no connection."""
    with pytest.raises(MqttError) as caught:
        async with asyncio.timeout(PATIENCE_S), broker.connect(ignore):
            pass
    return str(caught.value)
