"""The private names of libraries that ``service/mqtt`` uses: a new version that lacks one must fail here first."""

from __future__ import annotations

import asyncio
import inspect
import re
from types import ModuleType
from typing import Any

import aiomqtt
import gmqtt
import pytest
from amqtt.mqtt.protocol.handler import ProtocolHandler
from gmqtt.mqtt.connection import MQTTConnection
from gmqtt.mqtt.protocol import MQTTProtocol

from service.mqtt import aiomqtt_connection, gmqtt_connection, limited_broker, paho_reading
from service.mqtt.embedded_limits import EmbeddedLimits

AIOMQTT = {"_client"}
PAHO = {"_in_callback_mutex", "_keepalive", "_sock_close", "_sock_recv"}
AMQTT = {
    "_handle_message_delivery",
    "_client_message_loop",
    "_handle_client_session",
    "_publish_retained_messages_for_subscription",
    "_subscriptions",
    "_broadcast_queue",
    "_broadcast_task",
    "_session_monitor_task",
}
GMQTT_CLIENT = {"_connection", "_create_connection"}
GMQTT_CONNECTION = {"_last_data_in", "_protocol", "_transport"}
GMQTT_PROTOCOL = {"_read_packet"}


@pytest.mark.parametrize(
    ("modules", "names"),
    [
        ([aiomqtt_connection, paho_reading], AIOMQTT | PAHO),
        ([gmqtt_connection], GMQTT_CLIENT | GMQTT_CONNECTION | GMQTT_PROTOCOL),
    ],
    ids=["aiomqtt", "gmqtt"],
)
def test_every_private_name_that_is_used_is_listed_here(modules: list[ModuleType], names: set[str]) -> None:
    source = "".join(map(inspect.getsource, modules))
    used = re.findall(r"\b(?:_?client|_?paho|connection|protocol)\.(_[a-z]\w*)", source)
    assert set(used) == names


def test_every_private_name_of_amqtt_that_is_used_is_listed_here() -> None:
    own = {"_limits", "_retained_bytes", "_not_retained", "_served"}
    assert set(re.findall(r"(?:self|super\(\))\.(_[a-z]\w*)", inspect.getsource(limited_broker))) - own == AMQTT


async def test_amqtt_has_the_private_names_that_are_used() -> None:
    assert "self._reader_stopped = asyncio.Event()" in inspect.getsource(ProtocolHandler)
    broker: Any = limited_broker.LimitedBroker(EmbeddedLimits())
    assert lacking(broker, AMQTT) == ""
    assert broker.problem
    await broker.start()
    assert broker.problem == ""
    assert broker.backlog == 0
    await broker.shutdown()
    assert broker.problem


def lacking(owner: object, names: set[str]) -> str:
    """Return which names a library no longer has, as text for the developer who upgrades it."""
    gone = sorted(name for name in names if not hasattr(owner, name))
    return "" if not gone else f"{type(owner).__module__} has no {', '.join(gone)} any longer: see service/mqtt/"


async def test_aiomqtt_and_paho_have_the_private_names_that_are_used() -> None:
    client = aiomqtt.Client("127.0.0.1")
    assert lacking(client, AIOMQTT) == ""
    paho: Any = client._client
    assert lacking(paho, PAHO) == ""
    assert not paho._in_callback_mutex.locked()
    assert paho._keepalive == paho.keepalive
    assert list(inspect.signature(paho._sock_recv).parameters) == ["bufsize"]
    assert not inspect.signature(paho._sock_close).parameters


async def test_gmqtt_has_the_private_names_that_are_used() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        client = gmqtt.Client("any")
        assert lacking(client, GMQTT_CLIENT) == ""
        port = server.sockets[0].getsockname()[1]
        connection = await client._create_connection("127.0.0.1", port, False, True, 15)
        assert isinstance(connection, MQTTConnection)
        assert lacking(connection, GMQTT_CONNECTION) == ""
        assert isinstance(connection._protocol, MQTTProtocol)
        assert isinstance(connection._transport, asyncio.Transport)
        assert lacking(connection._protocol, GMQTT_PROTOCOL) == ""
        assert connection._protocol._read_packet(b"\x30") == 0
        connection._transport.abort()
        await connection.close()
