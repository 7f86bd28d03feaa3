"""Connections that only receive, through gmqtt. Only this file knows this library.

It needs a quarter of aiomqtt's time for a received message, which decides how many blasters a hall can have. Where it
has no public way, private names are used; ``tests/service/mqtt/test_private_names.py`` fails if a new version lacks
one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import gmqtt
from gmqtt.mqtt.utils import unpack_variable_byte_integer

from service.config.topic_root import DEFAULT_ROOT
from service.mqtt.broker_limits import BrokerLimits
from service.mqtt.connection import Connection, IncomingMessage, MessageHandler, WritableHandler
from service.mqtt.connection_settings import ConnectionSettings, ProtocolVersion, QoS
from service.mqtt.reason_codes import connack_text, disconnect_text

_CONNACK: Final = 0x20
_FLAGS_AND_CODE_BYTES: Final = 2
"""The bytes that follow the length of a CONNACK, in both versions of MQTT."""
_LENGTH_BYTES: Final = 4
"""The length of a packet follows its first byte, in at most so many bytes."""
_LENGTH_CONTINUES: Final = 0x80
"""Bit of a byte of the length that another one follows."""
_PLAIN_PUBLISH: Final = 0x30
"""First byte of a message of QoS 0 that is neither retained nor repeated."""
_SHORTEST_PLAIN: Final = 4
"""A message has at least so many bytes: its first, one or two of the length, and two of the topic's length."""
_PLAIN_PROPERTIES: Final = 2
"""gmqtt adds two properties of its own to each message, ``dup`` and ``retain``: one with no others has no MQTT
properties.
"""
_NEVER: Final = -2
"""The value of ``reconnect_retries`` for no retry: 0 is one retry, and -1 is retries without end."""

# Our errors report all that the library would log.
logging.getLogger("gmqtt").setLevel(logging.CRITICAL + 1)


class GmqttConnection(Connection):
    """A connection through gmqtt, which is used once. ``on_writable`` is never called: it does not publish."""

    def __init__(
        self, settings: ConnectionSettings, on_message: MessageHandler, _on_writable: WritableHandler | None = None
    ) -> None:
        super().__init__(settings)
        self._on_message = on_message
        self._closing = False
        self._transport: asyncio.Transport | None = None
        self._keepalive_s = settings.times.keepalive_s
        self._client = client = _new_client(settings)
        client.on_connect = self._on_connect
        client.on_message = self._take_message
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        # The method that opens the socket: packets must be checked from the first one on.
        self._create: Any = client._create_connection  # noqa: SLF001
        client._create_connection = self._create_guarded  # noqa: SLF001

    async def open(self) -> None:
        """Connect and wait until the broker accepts. Raises ``OSError`` if it cannot be reached, refuses or closes.

        gmqtt does not notice a broker that closes the connection instead of answering.
        """
        address = self._settings.address
        connecting = asyncio.create_task(
            self._client.connect(
                address.host,
                address.port,
                ssl=address.tls or False,
                keepalive=self._settings.times.keepalive_s,
                version=self._settings.version.value,
                raise_exc=False,
            ),
            name="gmqtt-connect",
        )
        try:
            await asyncio.wait({connecting, self._accepted}, return_when=asyncio.FIRST_COMPLETED)
            if connecting.done():
                connecting.result()
            await self._accepted
            await connecting
        except asyncio.CancelledError:
            # Between the connection and CONNECT, gmqtt cannot be cancelled.
            await asyncio.wait({connecting}, timeout=self._settings.times.goodbye_s)
            raise
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)

    async def close(self) -> None:
        """Send DISCONNECT, unless the connection is lost, and close, within about ``goodbye_s``."""
        try:
            if not self._lost.is_set():
                self._closing = True
                with suppress(OSError):
                    async with asyncio.timeout(self._settings.times.goodbye_s):
                        await self._client.disconnect()
        finally:
            self._lose("closed")
            self.abort()

    def abort(self) -> None:
        """Close the socket at once: with TLS, an orderly end would wait half a minute for a broker that has died."""
        if self._transport is not None:
            self._transport.abort()

    def _send_subscribe(self, filters: Sequence[tuple[str, QoS]]) -> int:
        root = self._settings.root
        subscriptions = [gmqtt.Subscription(root.outward(name), qos=qos) for name, qos in filters]
        return int(self._client.subscribe(subscriptions))

    async def _create_guarded(self, *args: Any, **kwargs: Any) -> Any:
        """Open the socket; have the connection end where gmqtt would wait forever or collect data without limit."""
        connection = await self._create(*args, **kwargs)
        # gmqtt has no public way to close at once, or to see a packet before it is complete.
        self._transport = connection._transport  # noqa: SLF001
        protocol = connection._protocol  # noqa: SLF001
        read, close_in_order = protocol._read_packet, connection.close  # noqa: SLF001

        def read_packet(data: bytes) -> int:
            if self._refused(data):
                return -1
            plain = self._take_plain_messages(data)
            if plain:
                connection._last_data_in = time.monotonic()  # noqa: SLF001 - a sign of life, even if no whole packet is left
            parsed: int = read(data[plain:])
            parsed += plain if parsed >= 0 else 0
            return parsed if self._rest_is_allowed(data, parsed) else -1

        async def close() -> None:
            if not self._closing:  # gmqtt itself closes for one reason only
                self._lose_now(f"nothing from the broker for {2 * self._keepalive_s} s")
            await close_in_order()

        protocol._read_packet = read_packet  # noqa: SLF001
        connection.close = close
        return connection

    def _refused(self, data: bytes) -> bool:
        """Return whether ``data`` begins with a CONNACK that refuses; if so, end the connection: gmqtt would wait."""
        if self._accepted.done() or not data or data[0] != _CONNACK:
            return False
        try:
            _, (_flags, code, *_) = unpack_variable_byte_integer(data[1 : 1 + _LENGTH_BYTES + _FLAGS_AND_CODE_BYTES])
        except (IndexError, ValueError):  # not complete yet
            return False
        if code:
            self._lose_now(f"refused by the broker: {connack_text(code)}")
        return bool(code)

    def _take_plain_messages(self, data: bytes) -> int:
        """Pass on the messages at the start of ``data`` that have QoS 0 and no properties; return how long they are.

        All of a hall's messages are such. gmqtt takes four times as long for one. Anything else is left to it, and so
        is the last packet if it is complete.
        """
        if not self._accepted.done():
            return 0
        at, size, read_ns = 0, len(data), time.monotonic_ns()
        properties_bytes = 1 if self._settings.version is ProtocolVersion.V5 else 0  # a length of 0
        while size - at > _SHORTEST_PLAIN and data[at] == _PLAIN_PUBLISH:
            begin, length = at + 2, data[at + 1]
            if length >= _LENGTH_CONTINUES:
                length += (data[begin] - 1) * _LENGTH_CONTINUES
                begin += 1
                if data[begin - 1] >= _LENGTH_CONTINUES:
                    break
            end = begin + length
            topic_begin = begin + 2
            topic_end = topic_begin + int.from_bytes(data[begin:topic_begin], "big")
            payload_begin = topic_end + properties_bytes
            if end >= size or payload_begin > end or topic_end == topic_begin or any(data[topic_end:payload_begin]):
                break
            try:
                topic = data[topic_begin:topic_end].decode()
            except UnicodeDecodeError:
                break
            self._deliver(IncomingMessage(topic, data[payload_begin:end], False), read_ns)
            at = end
        return at

    def _rest_is_allowed(self, data: bytes, parsed: int) -> bool:
        """Return whether the incomplete packet at ``parsed`` may still arrive; if it is too long, end the connection.

        gmqtt would collect up to 256 MiB, and copy all of it again at each read.
        """
        if parsed < 0:
            self._lose_now("the broker sent a packet whose length MQTT does not allow")
            return False
        length = data[parsed + 1 : parsed + 1 + _LENGTH_BYTES]
        if len(length) < _LENGTH_BYTES:
            return True
        size, rest = unpack_variable_byte_integer(length)
        size += 1 + _LENGTH_BYTES - len(rest)
        if size > self._settings.max_packet_bytes:
            self._lose_now(f"the broker sent a packet of {size} bytes, longer than {self._settings.max_packet_bytes}")
            return False
        return True

    def _lose_now(self, reason: str) -> None:
        self._lose(reason)
        self.abort()

    # The next methods are gmqtt's callbacks.

    def _on_connect(self, client: Any, _session_present: int, _code: int, properties: dict[str, Any]) -> None:
        limits = _limits(properties)
        # A broker may ask for a longer pause, or for none to be checked; its own death must still be noticed.
        self._keepalive_s = min(self._keepalive_s, limits.server_keep_alive_s or self._keepalive_s)
        client._connection.keepalive = self._keepalive_s  # noqa: SLF001 - the client has it for connect() only
        self._accept(limits)

    def _take_message(
        self, _client: Any, topic: str | bytes, payload: bytes, _qos: int, properties: dict[str, Any]
    ) -> None:
        if isinstance(topic, bytes):  # not UTF-8: no subscriber can want it
            return
        response_topic = correlation_data = None
        if len(properties) > _PLAIN_PROPERTIES:
            (response_topic,) = properties.get("response_topic", [None])
            (correlation_data,) = properties.get("correlation_data", [None])
        message = IncomingMessage(topic, payload, bool(properties["retain"]), response_topic, correlation_data)
        self._deliver(message, time.monotonic_ns())

    def _deliver(self, message: IncomingMessage, read_ns: int) -> None:
        root = self._settings.root
        self._on_message(
            message if root.text == DEFAULT_ROOT else message._replace(topic=root.inward(message.topic)), read_ns
        )

    def _on_subscribe(self, _client: Any, packet_id: int, codes: tuple[int, ...], _properties: Any) -> None:
        self._take_suback(packet_id, codes)

    def _on_disconnect(self, _client: Any, packet: Any, _error: Exception | None = None) -> None:
        if isinstance(packet, bytes) and packet:
            self._end(f"disconnected by the broker: {disconnect_text(packet[0])}", packet[0])
            self.abort()
        elif isinstance(packet, Exception):
            self._lose_now(f"the broker sent a packet that could not be read: {packet}")
        elif not self._closing:
            self._lose_closed()


def _new_client(settings: ConnectionSettings) -> Any:
    address, will = settings.address, settings.will
    limit = {"maximum_packet_size": settings.max_packet_bytes} if settings.version is ProtocolVersion.V5 else {}
    client = gmqtt.Client(
        settings.identifier,
        will_message=None if will is None else gmqtt.Message(will.topic, will.payload, will.qos, will.retain),
        **limit,
    )
    client.set_config({"reconnect_retries": _NEVER})
    if address.user is not None:
        client.set_auth_credentials(address.user, address.password)
    return client


def _limits(properties: dict[str, Any]) -> BrokerLimits:
    """Return what CONNACK announced, except the longest packet: gmqtt hides it behind the one that we announced."""

    def announced(name: str, default: Any) -> Any:
        return properties.get(name, [default])[0]

    defaults = BrokerLimits()
    return BrokerLimits(
        receive_maximum=announced("receive_maximum", defaults.receive_maximum),
        maximum_qos=announced("max_qos", defaults.maximum_qos),
        retain_available=bool(announced("retain_available", defaults.retain_available)),
        server_keep_alive_s=announced("server_keep_alive", None),
        assigned_identifier=announced("assigned_client_identifier", None),
        wildcards_available=bool(announced("wildcard_subscription_available", defaults.wildcards_available)),
    )
