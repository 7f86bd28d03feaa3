"""Opens connections to a broker, and finds out which version of MQTT and which will it accepts."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, Generic, TypeVar

from service.base.link_errors import reason_of
from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot
from service.mqtt.connection import MAX_PACKET_BYTES, Connection, MessageHandler, WritableHandler
from service.mqtt.connection_settings import ConnectionSettings, ConnectionTimes, ProtocolVersion, Will
from service.mqtt.errors import MqttError
from service.mqtt.reason_codes import QOS_NOT_SUPPORTED, RETAIN_NOT_SUPPORTED

AnyConnection = TypeVar("AnyConnection", bound=Connection)
ConnectionMaker = Callable[[ConnectionSettings, MessageHandler, WritableHandler | None], AnyConnection]


class Connector(Generic[AnyConnection]):
    """Opens connections to the broker at ``address``, and remembers which version of MQTT it speaks.

    ``make`` is the class of the connections. Old brokers refuse version 5 in many ways (a code, silence, a closed
    connection), so the versions alternate until the broker has accepted one. ``identifier`` is the client's; ``None``
    draws a new one for each connection. Two connections with the same identifier end each other. ``will`` is what the
    broker publishes when a connection is lost. ``root`` is where topics below ``stinger`` are at the broker.
    """

    def __init__(
        self,
        make: ConnectionMaker[AnyConnection],
        address: BrokerAddress,
        *,
        identifier: str | None = None,
        will: Will | None = None,
        max_packet_bytes: int = MAX_PACKET_BYTES,
        times: ConnectionTimes | None = None,
        root: TopicRoot | None = None,
    ) -> None:
        self._make = make
        self._address = address
        self._identifier = identifier
        self._root = TopicRoot() if root is None else root
        self._will = None if will is None else replace(will, topic=self._root.outward(will.topic))
        self._max_packet_bytes = max_packet_bytes
        self._times = ConnectionTimes() if times is None else times
        self._version = ProtocolVersion.V311 if address.embedded else ProtocolVersion.V5
        self._version_accepted = address.embedded
        self._reached = False

    @property
    def version(self) -> ProtocolVersion:
        """The version of MQTT that the broker has accepted, or else the one that is tried next."""
        return self._version

    @asynccontextmanager
    async def connect(
        self, on_message: MessageHandler, on_writable: WritableHandler | None = None
    ) -> AsyncIterator[AnyConnection]:
        """Open a connection that the broker has accepted; at the end send DISCONNECT and close it.

        ``on_message`` takes the messages of subscriptions. ``on_writable`` is called when a congested connection takes
        data again. Raises :class:`MqttError` if the broker cannot be reached, refuses or does not answer.
        """
        connection = await self._open(on_message, on_writable)
        if connection.limits.assigned_identifier and self._identifier is not None:
            self._identifier = connection.limits.assigned_identifier
        try:
            yield connection
        finally:
            await connection.close()

    async def _open(self, on_message: MessageHandler, on_writable: WritableHandler | None) -> AnyConnection:
        while True:
            try:
                return await self._open_once(on_message, on_writable)
            except MqttError as error:
                simpler = _simpler_will(self._will, error.code)
                if simpler == self._will:
                    if not self._version_accepted and self._reached:
                        self._version = _OTHER_VERSION[self._version]
                    raise
                self._will = simpler

    async def _open_once(self, on_message: MessageHandler, on_writable: WritableHandler | None) -> AnyConnection:
        self._reached = False
        try:
            async with asyncio.timeout(self._times.connect_s):
                await _reach(self._address)
                self._reached = True
                connection = self._make(self._settings(), on_message, on_writable)
                try:
                    await connection.open()
                except BaseException:
                    connection.abort()
                    raise
        except MqttError:
            raise
        except TimeoutError as error:
            raise MqttError(f"no answer within {self._times.connect_s:g} s") from error
        except OSError as error:
            raise MqttError(reason_of(error)) from error
        self._version_accepted = True
        return connection

    def _settings(self) -> ConnectionSettings:
        return ConnectionSettings(
            address=self._address,
            version=self._version,
            identifier=self._identifier or f"stinger-{secrets.token_hex(6)}",
            will=self._will,
            max_packet_bytes=self._max_packet_bytes,
            times=self._times,
            root=self._root,
        )


def _simpler_will(will: Will | None, code: int | None) -> Will | None:
    """Return ``will`` without what a broker refused with ``code``."""
    if will is not None and code == RETAIN_NOT_SUPPORTED:
        return replace(will, retain=False)
    if will is not None and code == QOS_NOT_SUPPORTED:
        return replace(will, qos=0)
    return will


async def _reach(address: BrokerAddress) -> None:
    """Connect and close again, TLS included. Raises ``OSError`` if that fails.

    aiomqtt connects in a thread that cannot be cancelled: a broker that does not answer would delay the end of the
    process. It also hides what is wrong with a certificate. And a broker that is away must not change the version that
    is tried.
    """
    _, writer = await asyncio.open_connection(address.host, address.port, ssl=address.tls)
    writer.transport.abort()


_OTHER_VERSION: Final = {
    ProtocolVersion.V5: ProtocolVersion.V311,
    ProtocolVersion.V311: ProtocolVersion.V5,
}
