"""One connection to a broker, opened and closed with care. All that is particular to aiomqtt and paho stands here."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiomqtt import Client, MqttError, ProtocolVersion, Will
from aiomqtt import Message as Received
from paho.mqtt.client import MQTT_ERR_SUCCESS, error_string

from service.config.broker_address import BrokerAddress
from service.mqtt.messages import OutgoingMessage

__all__ = ["Client", "Connection", "MqttError", "ProtocolVersion", "Received", "connected_client"]

KEEPALIVE_S = 15
IN_FLIGHT = 16
"""Publishes not yet acknowledged; below mosquitto's default of 20, which is also paho's."""
_CONNECT_S = 5.0
_GOODBYE_S = 0.5
_LAST_WORD_S = 0.05
_INBOX = 1000
"""Commands waiting; beyond, new ones are dropped with a line in the log."""

logger = logging.getLogger(__name__)
# What paho has to say is told by the exceptions as well.
_paho_logger = logging.getLogger(f"{__name__}.paho")
_paho_logger.setLevel(logging.CRITICAL)


@asynccontextmanager
async def connected_client(
    address: BrokerAddress, *, identifier: str, protocol: ProtocolVersion, will: OutgoingMessage | None = None
) -> AsyncIterator[Connection]:
    """A connection of a client that the broker has let in, disconnected at the end, its socket closed whatever happened.

    It is used for this one connection: a client that connects again would send again what it had been refused. Raises
    :class:`MqttError` or ``OSError`` where there is no connection to be had; leaving raises nothing of its own.
    """
    await _reach(address)
    client = Client(
        address.host,
        address.port,
        username=address.user,
        password=address.password,
        logger=_paho_logger,
        identifier=identifier,
        protocol=protocol,
        will=None if will is None else Will(will.topic, will.payload, will.qos, will.retain),
        clean_session=None if protocol is ProtocolVersion.V5 else True,
        timeout=_CONNECT_S,
        keepalive=KEEPALIVE_S,
        max_queued_incoming_messages=_INBOX,
        tls_context=address.tls,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )
    # It warns of more than ten, which are what we mean to have.
    client.pending_calls_threshold = 2 * IN_FLIGHT
    try:
        await _enter(client)
        try:
            yield Connection(client)
        finally:
            with suppress(MqttError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await client.__aexit__(None, None, None)
    finally:
        _close_socket(client)


class Connection:
    """A client that the broker has let in."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._paho: Any = client._client  # noqa: SLF001 - aiomqtt can only publish by way of two tasks a message
        self._unacknowledged: dict[int, Callable[[], None]] = {}
        self._refused = False
        self._and_then: Any = self._paho.on_publish
        self._paho.on_publish = self._on_publish
        self._writing_now = False
        self._when_writable: Any = self._paho.on_socket_register_write
        self._paho.on_socket_register_write = self._on_something_to_write

    def publish(self, message: OutgoingMessage, acknowledged: Callable[[], None]) -> None:
        """Send ``message`` at once; ``acknowledged`` is called when the broker has it, for QoS 0 before this returns.

        Messages go out in the order of the calls. Raises :class:`MqttError` where the connection is gone.
        """
        # aiomqtt would have the loop write in its second next turn.
        self._writing_now = not self._paho._in_callback_mutex.locked()  # noqa: SLF001 - there paho must not write
        try:
            info = self._paho.publish(message.topic, message.payload, message.qos, message.retain)
            if info.rc != MQTT_ERR_SUCCESS:
                raise MqttError(error_string(info.rc))
            if message.qos:
                self._unacknowledged[info.mid] = acknowledged
            if self._writing_now:
                self._write()
        finally:
            self._writing_now = False
        if not message.qos:
            acknowledged()

    def _write(self) -> None:
        """Give the socket what waits; what it does not take now, the loop writes when it can."""
        code = self._paho.loop_write()
        if code != MQTT_ERR_SUCCESS:
            raise MqttError(error_string(code))
        if self._paho.want_write():
            self._when_writable(self._paho, None, self._paho.socket())

    def _on_something_to_write(self, paho: Any, userdata: Any, sock: Any) -> None:
        if not self._writing_now:
            self._when_writable(paho, userdata, sock)

    def _on_publish(self, paho: Any, userdata: Any, mid: int, code: Any, properties: Any) -> None:
        acknowledged = self._unacknowledged.pop(mid, None)
        if acknowledged is None:
            self._and_then(paho, userdata, mid, code, properties)
            return
        if code.is_failure and not self._refused:
            # As MQTT 5 can. Sending it again would not help: what is refused is the right to publish there.
            self._refused = True
            logger.warning("broker refuses messages reason=%s", code)
        acknowledged()


async def _reach(address: BrokerAddress) -> None:
    """Connect and close again, TLS included, so that what follows is short.

    aiomqtt connects in a thread that cannot be cancelled: a broker that does not answer would hold up the end of the
    process. It also keeps back what was wrong with a certificate.
    """
    async with asyncio.timeout(_CONNECT_S):
        _, writer = await asyncio.open_connection(address.host, address.port, ssl=address.tls)
        writer.transport.abort()


async def _enter(client: Client) -> None:
    """Enter; end at once if the broker closes the connection instead of answering, which aiomqtt does not look for.

    When cancelled it first lets the thread that connects come to its end, so that its socket can be closed.
    """
    entering = asyncio.ensure_future(client.__aenter__())
    closed = asyncio.ensure_future(_closing_of(client).wait())
    try:
        await asyncio.wait({entering, closed}, return_when=asyncio.FIRST_COMPLETED)
        if not entering.done():
            # Where it was refused with a reason, that has been read before and is about to be told.
            await asyncio.wait({entering}, timeout=_LAST_WORD_S)
        if not entering.done():
            raise MqttError("closed by the broker before it let us in")
        await entering
    except asyncio.CancelledError:
        await asyncio.wait({entering}, timeout=_GOODBYE_S)
        raise
    finally:
        closed.cancel()
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)


def _closing_of(client: Client) -> asyncio.Event:
    """An event that is set when the client's socket is closed."""
    paho: Any = client._client  # noqa: SLF001 - aiomqtt does not tell
    loop, closed, and_then = asyncio.get_running_loop(), asyncio.Event(), paho.on_socket_close

    def on_socket_close(*arguments: Any) -> None:
        loop.call_soon_threadsafe(closed.set)
        and_then(*arguments)

    paho.on_socket_close = on_socket_close
    return closed


def _close_socket(client: Client) -> None:
    """Close what aiomqtt leaves open when it was refused, or had no answer, or could not say goodbye."""
    paho: Any = client._client  # noqa: SLF001 - aiomqtt has no way to give up
    paho.on_socket_register_write = (
        None  # what it still has to say it says now: the loop would write to a closed socket
    )
    paho.disconnect()
    paho._sock_close()  # noqa: SLF001 - nor has paho
    paho.on_socket_close = None
