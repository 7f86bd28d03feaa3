"""The MQTT connections of the daemon and what could replace them, behind one interface, for ``inbound_samples``.

Libraries that are not installed are left out: pip install zmqtt, to see it too.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiomqtt
import gmqtt
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from service.config.broker_address import BrokerAddress
from service.mqtt.aiomqtt_connection import AiomqttConnection
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.connector import Connector
from service.mqtt.messages import OutgoingMessage
from service.mqtt.sample_subscription import SampleSubscription

HOST = "127.0.0.1"
FILTER = "stinger/+/samples"

Take = Callable[[bytes], None]
"""Takes the payload of a message that arrived."""
Acknowledged = Callable[[], None]
Publish = Callable[[str, bytes, Acknowledged], None]
"""Publishes at QoS 1 without waiting; the last argument is called when the broker has the message."""
Client = Callable[[int, Take], AbstractAsyncContextManager[Publish | None]]
"""Connects to a port and subscribes to :data:`FILTER` at QoS 1; gives None if it only receives."""


@asynccontextmanager
async def the_source(port: int, take: Take) -> AsyncIterator[None]:
    """Receive as the daemon's source does: messages wait in a queue that is iterated over."""
    async with SampleSubscription(BrokerAddress(HOST, port))() as messages:

        async def listen() -> None:
            async for message in messages:
                take(message.payload)

        async with _running(listen()):
            yield


@asynccontextmanager
async def the_publisher(port: int, take: Take) -> AsyncIterator[Publish]:
    """Receive and publish through :mod:`service.mqtt.aiomqtt_connection`, as the daemon does with events and commands."""
    connector = Connector(AiomqttConnection, BrokerAddress(HOST, port))
    async with connector.connect(lambda message, _: take(message.payload)) as connection:
        await connection.subscribe([(FILTER, 1)])

        def publish(topic: str, payload: bytes, acknowledged: Acknowledged) -> None:
            connection.publish(
                OutgoingMessage(topic, payload, 1, retain=False, delivery=DeliveryPolicy.LIVE), acknowledged
            )

        yield publish


@asynccontextmanager
async def by_aiomqtt(port: int, take: Take) -> AsyncIterator[Publish]:
    """Use aiomqtt 2 as its documentation shows it."""
    nodelay = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    async with aiomqtt.Client(HOST, port, socket_options=nodelay) as client:
        await client.subscribe(FILTER, 1)
        client.pending_calls_threshold = 100  # avoids its warning about more than ten, which are intended

        async def listen() -> None:
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                take(message.payload)

        async with _running(listen()):
            yield _through_tasks(lambda topic, payload: client.publish(topic, payload, 1))


@asynccontextmanager
async def by_paho(port: int, take: Take) -> AsyncIterator[Publish]:
    """Use paho-mqtt through its public hooks for an event loop."""
    loop, accepted = asyncio.get_running_loop(), asyncio.Event()
    acknowledgements: dict[int, Acknowledged] = {}
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_connect = lambda *_: accepted.set()
    client.on_message = lambda _client, _data, message: take(bytes(message.payload))
    client.on_publish = lambda _client, _data, number, _code, _properties: acknowledgements.pop(number)()
    client.on_socket_open = lambda _client, _data, sock: loop.add_reader(sock, client.loop_read)
    client.on_socket_close = lambda _client, _data, sock: _drop(loop.remove_reader(sock))
    client.on_socket_register_write = lambda _client, _data, sock: loop.add_writer(sock, client.loop_write)
    client.on_socket_unregister_write = lambda _client, _data, sock: _drop(loop.remove_writer(sock))
    client.connect(HOST, port)
    bare: Any = client.socket()
    bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await accepted.wait()
    client.subscribe(FILTER, 1)
    await asyncio.sleep(0.2)

    def publish(topic: str, payload: bytes, acknowledged: Acknowledged) -> None:
        acknowledgements[client.publish(topic, payload, 1).mid] = acknowledged

    yield publish
    client.disconnect()


@asynccontextmanager
async def by_gmqtt(port: int, take: Take) -> AsyncIterator[None]:
    """Use gmqtt as its documentation shows it."""
    client = gmqtt.Client("ear")
    client.on_message = lambda _client, _topic, payload, _qos, _properties: take(payload)
    await client.connect(HOST, port, version=5)
    client.subscribe(FILTER, qos=1)
    await asyncio.sleep(0.2)
    yield
    await client.disconnect()


@asynccontextmanager
async def by_zmqtt(port: int, take: Take) -> AsyncIterator[Publish]:
    """Use zmqtt as its documentation shows it."""
    zmqtt: Any = importlib.import_module("zmqtt")
    qos = zmqtt.QoS.AT_LEAST_ONCE
    async with zmqtt.create_client(HOST, port, version="5.0") as client, client.subscribe(FILTER, qos=qos) as messages:

        async def listen() -> None:
            async for message in messages:
                take(message.payload)

        async with _running(listen()):
            yield _through_tasks(lambda topic, payload: client.publish(topic, payload, qos=qos))


def installed_clients() -> dict[str, Client]:
    """Return the clients that can be measured here, by name; the daemon's first."""
    clients: dict[str, Client] = {
        "the daemon's source": the_source,
        "the daemon's publisher": the_publisher,
        "paho-mqtt, asyncio": by_paho,
        "aiomqtt": by_aiomqtt,
        "gmqtt": by_gmqtt,
    }
    optional: dict[str, Client] = {"zmqtt": by_zmqtt}
    return clients | {name: client for name, client in optional.items() if importlib.util.find_spec(name) is not None}


@asynccontextmanager
async def _running(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def _through_tasks(send: Callable[[str, bytes], Any]) -> Publish:
    """Return a publish for a library whose publish is awaited until it is acknowledged: a task for each message."""
    tasks: set[asyncio.Task[Any]] = set()

    def publish(topic: str, payload: bytes, acknowledged: Acknowledged) -> None:
        async def deliver() -> None:
            await send(topic, payload)
            acknowledged()

        task = asyncio.create_task(deliver())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return publish


def _drop(_result: object) -> None:
    """Return nothing, as paho's hooks must."""
