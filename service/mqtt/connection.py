"""Connections to a broker, one interface for all of this package: MQTT 5 if the broker speaks it, else 3.1.1.

The packets are in :mod:`service.mqtt.packets`; this module has the socket, the order of packets and the time limits.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from service.base.link_errors import reason_of
from service.base.logs import get_logger
from service.config.broker_address import BrokerAddress
from service.mqtt.messages import OutgoingMessage
from service.mqtt.packets import (
    BrokerLimits,
    ConnAckPacket,
    DisconnectPacket,
    MalformedPacketError,
    Packet,
    PacketDecoder,
    PacketTooLongError,
    ProtocolVersion,
    PubAckPacket,
    PublishPacket,
    QoS,
    SubAckPacket,
    Will,
    connect_packet,
    disconnect_packet,
    pingreq_packet,
    puback_packet,
    publish_packet,
    subscribe_packet,
)
from service.mqtt.reason_codes import MALFORMED_PACKET, PACKET_TOO_LARGE, REFUSED, reason_text

__all__ = ["BrokerLimits", "Connection", "ConnectionTimes", "Connector", "MqttError", "PublishPacket", "Will"]

IN_FLIGHT: Final = 16
"""Publishes not yet acknowledged; below mosquitto's default of 20."""
MAX_PACKET_BYTES: Final = 1 << 20
"""Longest packet taken from a broker. Anyone who may publish a command could otherwise fill our memory."""

_CHECKS_PER_KEEPALIVE: Final = 2
_SILENCE_PER_KEEPALIVE: Final = 1.5
_PACKET_IDS: Final = 65_535
_LOG: Final = get_logger(__name__)

MessageHandler = Callable[[PublishPacket, int], None]
"""Takes a message and ``time.monotonic_ns()`` of its arrival. Runs while the socket is read: it must not wait."""


class MqttError(ConnectionError):
    """There is no connection, or none any longer; the text is the reason, for a person."""


@dataclass(frozen=True, slots=True)
class ConnectionTimes:
    """Time limits of a connection."""

    connect_s: float = 5.0
    """To connect and be accepted, and then to have a subscription answered."""
    keepalive_s: int = 15
    """The longest time without a packet to the broker. It is given up after 1.5 to 2 times as long without one from it."""
    goodbye_s: float = 0.5
    """To deliver DISCONNECT and close; after that the connection is cut."""


class Connector:
    """Opens connections to the broker at ``address``, and remembers which version of MQTT it speaks.

    Old brokers refuse version 5 in many ways (a code, silence, a closed connection), so the versions alternate until the
    broker has accepted one. ``identifier`` is the client's; ``None`` draws a new one for each connection. Two connections
    with the same identifier end each other. ``will`` is what the broker publishes when a connection is lost.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        identifier: str | None = None,
        will: Will | None = None,
        max_packet_bytes: int = MAX_PACKET_BYTES,
        times: ConnectionTimes | None = None,
    ) -> None:
        self._address = address
        self._identifier = identifier
        self._will = will
        self._max_packet_bytes = max_packet_bytes
        self._times = ConnectionTimes() if times is None else times
        self._version = ProtocolVersion.V311 if address.embedded else ProtocolVersion.V5
        self._version_accepted = address.embedded

    @property
    def version(self) -> ProtocolVersion:
        """The version of MQTT that the broker has accepted, or else the one that is tried next."""
        return self._version

    @asynccontextmanager
    async def connect(
        self, on_message: MessageHandler, on_writable: Callable[[], None] | None = None
    ) -> AsyncIterator[Connection]:
        """Open a connection that the broker has accepted; at the end send DISCONNECT and close it.

        ``on_message`` takes the messages of subscriptions. ``on_writable`` is called when a congested connection takes data
        again. Raises :class:`MqttError` if the broker cannot be reached, refuses or does not answer.
        """
        connection = await self._open(on_message, on_writable)
        try:
            yield connection
        finally:
            await connection.close(self._times.goodbye_s)

    async def _open(self, on_message: MessageHandler, on_writable: Callable[[], None] | None) -> Connection:
        try:
            async with asyncio.timeout(self._times.connect_s):
                transport = await self._open_transport()
                try:
                    connection = await self._handshake(transport, on_message, on_writable)
                except BaseException:
                    transport.abort()
                    if not self._version_accepted:
                        self._version = _OTHER_VERSION[self._version]
                    raise
        except MqttError:
            raise
        except TimeoutError as error:
            raise MqttError(f"no answer within {self._times.connect_s:g} s") from error
        except OSError as error:
            raise MqttError(reason_of(error)) from error
        self._version_accepted = True
        return connection

    async def _open_transport(self) -> asyncio.Transport:
        tls = self._address.tls
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol,
            self._address.host,
            self._address.port,
            ssl=tls,
            # Otherwise closing waits half a minute for the answer of a broker that has died.
            ssl_shutdown_timeout=None if tls is None else self._times.goodbye_s,
        )
        return transport

    async def _handshake(
        self, transport: asyncio.Transport, on_message: MessageHandler, on_writable: Callable[[], None] | None
    ) -> Connection:
        connection = Connection(
            transport,
            self._version,
            times=self._times,
            max_packet_bytes=self._max_packet_bytes,
            on_message=on_message,
            on_writable=on_writable,
        )
        connect = connect_packet(
            self._version,
            self._identifier or f"stinger-{secrets.token_hex(6)}",
            keepalive_s=self._times.keepalive_s,
            user=self._address.user,
            password=self._address.password,
            will=self._will,
            max_packet_bytes=self._max_packet_bytes,
        )
        await connection.handshake(connect)
        return connection


class Connection(asyncio.Protocol):
    """One connection to a broker, open until it is lost; it never reconnects. Made by :class:`Connector`."""

    def __init__(
        self,
        transport: asyncio.Transport,
        version: ProtocolVersion,
        *,
        times: ConnectionTimes,
        max_packet_bytes: int,
        on_message: MessageHandler,
        on_writable: Callable[[], None] | None,
    ) -> None:
        self._transport = transport
        self._version = version
        self._times = times
        self._on_message = on_message
        self._on_writable = on_writable
        self._decoder = PacketDecoder(version, max_packet_bytes)
        self._loop = asyncio.get_running_loop()
        self._limits = BrokerLimits()
        self._keepalive_s = float(times.keepalive_s)
        self._keepalive_timer: asyncio.TimerHandle | None = None
        self._sent_s = self._heard_s = self._loop.time()
        self._congested = False
        self._last_packet_id = 0
        self._unacknowledged: dict[int, Callable[[], None]] = {}
        self._subscribing: dict[int, asyncio.Future[tuple[int, ...]]] = {}
        self._answers: set[asyncio.Future[None]] = set()
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self._closed = asyncio.Event()
        self._lost_reason = ""
        self._refusal_logged = False
        transport.set_protocol(self)

    @property
    def version(self) -> ProtocolVersion:
        """The version of MQTT that this connection speaks."""
        return self._version

    @property
    def limits(self) -> BrokerLimits:
        """What the broker announced when it accepted the connection."""
        return self._limits

    @property
    def congested(self) -> bool:
        """Whether the broker takes data more slowly than it is sent: hold back what need not be sent."""
        return self._congested

    def publish(
        self,
        message: OutgoingMessage,
        acknowledged: Callable[[], None] | None = None,
        *,
        correlation_data: bytes | None = None,
    ) -> None:
        """Send ``message`` at once; ``acknowledged`` is called when the broker has it, for QoS 0 before this returns.

        Messages leave in the order of the calls. Raises :class:`MqttError` if the connection is lost, ``ValueError`` for a
        topic that cannot be published to.
        """
        self._raise_if_lost()
        packet_id = self._new_packet_id() if message.qos else None
        data = publish_packet(
            self._version,
            message.topic,
            message.payload,
            packet_id=packet_id,
            retain=message.retain,
            correlation_data=correlation_data,
        )
        if packet_id is not None:
            self._unacknowledged[packet_id] = _ignore if acknowledged is None else acknowledged
        self._send(data)
        if packet_id is None and acknowledged is not None:
            acknowledged()

    async def deliver(self, message: OutgoingMessage, *, correlation_data: bytes | None = None) -> None:
        """Publish ``message`` and wait until the broker has it. Raises as :meth:`publish` does."""
        answer: asyncio.Future[None] = self._loop.create_future()
        self._answers.add(answer)
        try:
            self.publish(message, partial(_resolve, answer), correlation_data=correlation_data)
            await answer
        finally:
            self._answers.discard(answer)

    async def subscribe(self, filters: Sequence[tuple[str, QoS]]) -> tuple[int, ...]:
        """Subscribe to topic filters; return the broker's code for each, a refusal from 0x80 up.

        Raises :class:`MqttError` if the connection is lost or there is no answer in time.
        """
        self._raise_if_lost()
        packet_id = self._new_packet_id()
        answer: asyncio.Future[tuple[int, ...]] = self._loop.create_future()
        self._subscribing[packet_id] = answer
        try:
            self._send(subscribe_packet(self._version, packet_id, filters))
            async with asyncio.timeout(self._times.connect_s):
                codes = await answer
        except TimeoutError as error:
            raise MqttError(f"no answer to the subscription within {self._times.connect_s:g} s") from error
        finally:
            del self._subscribing[packet_id]
        if len(codes) != len(filters):
            raise MqttError(f"the broker answered {len(filters)} subscriptions with {len(codes)} codes")
        return codes

    async def wait_lost(self) -> None:
        """Wait until the connection is lost, then raise :class:`MqttError` with the reason."""
        await self._closed.wait()
        raise MqttError(self._lost_reason)

    async def handshake(self, connect: bytes) -> None:
        """Send CONNECT and wait until the broker accepts. Raises :class:`MqttError` if it refuses or closes."""
        if self._transport.is_closing():
            raise MqttError("the broker closed the connection before it accepted it")
        self._send(connect)
        await self._accepted

    async def close(self, within_s: float) -> None:
        """Send DISCONNECT and close, within about ``within_s``. Does nothing if the connection is lost already."""
        if self._closed.is_set():
            return
        self._finish_with("closed", disconnect_packet(self._version))
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._closed.wait()
        finally:
            self._transport.abort()
        await self._closed.wait()

    # The next four methods are called by asyncio.

    def data_received(self, data: bytes) -> None:
        """Take bytes from the broker."""
        self._heard_s = self._loop.time()
        now_ns = time.monotonic_ns()
        acknowledgements = []
        try:
            for packet in self._decoder.feed(data):
                if type(packet) is PublishPacket:
                    if packet.packet_id is not None:
                        acknowledgements.append(puback_packet(packet.packet_id))
                    if packet.topic:
                        self._on_message(packet, now_ns)
                else:
                    self._take(packet)
        except PacketTooLongError as error:
            self._abort(f"the broker sent {error}", PACKET_TOO_LARGE)
        except MalformedPacketError as error:
            self._abort(f"the broker sent {error}", MALFORMED_PACKET)
        if acknowledgements and not self._lost_reason:
            self._send(b"".join(acknowledgements))

    def connection_lost(self, error: Exception | None) -> None:
        """Fail everything that waits for the broker: the socket is closed."""
        if not self._lost_reason:
            self._lost_reason = "the broker closed the connection" if error is None else reason_of(error)
            if not self._accepted.done():
                self._lost_reason += " before it accepted it" if error is None else ""
        if self._keepalive_timer is not None:
            self._keepalive_timer.cancel()
        self._unacknowledged.clear()
        waiting: list[asyncio.Future[Any]] = [self._accepted, *self._subscribing.values(), *self._answers]
        for future in waiting:
            if not future.done():
                future.set_exception(MqttError(self._lost_reason))
                future.exception()  # nobody may be waiting for it any longer: asyncio would log it as never retrieved
        self._closed.set()

    def pause_writing(self) -> None:
        """Mark the connection as congested."""
        self._congested = True

    def resume_writing(self) -> None:
        """Mark the connection as no longer congested."""
        self._congested = False
        if self._on_writable is not None:
            self._on_writable()

    def _take(self, packet: Packet) -> None:
        match packet:
            case PubAckPacket():
                acknowledged = self._unacknowledged.pop(packet.packet_id, None)
                if packet.code >= REFUSED and not self._refusal_logged:
                    # Sending it again would not help: what is refused is the right to publish there.
                    self._refusal_logged = True
                    _LOG.warning("broker_refused_message", reason=reason_text(packet.code, packet.reason))
                if acknowledged is not None:
                    acknowledged()
            case SubAckPacket():
                answer = self._subscribing.get(packet.packet_id)
                if answer is not None and not answer.done():
                    answer.set_result(packet.codes)
            case ConnAckPacket():
                self._take_connack(packet)
            case DisconnectPacket():
                self._abort(f"disconnected by the broker: {reason_text(packet.code, packet.reason)}")
            case _:
                pass  # PINGRESP: that something arrived is all that matters

    def _take_connack(self, packet: ConnAckPacket) -> None:
        if self._accepted.done():
            self._abort("the broker sent a second CONNACK", MALFORMED_PACKET)
        elif packet.code:
            self._abort(f"refused by the broker: {reason_text(packet.code, packet.reason)}")
        else:
            self._limits = packet.limits
            # A broker may ask for a longer pause, or for none to be checked; its own death must still be noticed.
            self._keepalive_s = min(self._keepalive_s, packet.limits.server_keep_alive_s or self._keepalive_s)
            self._accepted.set_result(None)
            self._check_alive()

    def _check_alive(self) -> None:
        """Ping a broker that has been silent, or to which nothing was sent; give it up after a longer silence."""
        now_s, pause_s = self._loop.time(), self._keepalive_s / _CHECKS_PER_KEEPALIVE
        if now_s - self._heard_s >= _SILENCE_PER_KEEPALIVE * self._keepalive_s:
            self._abort(f"nothing from the broker for {now_s - self._heard_s:.0f} s")
            return
        if now_s - min(self._heard_s, self._sent_s) >= pause_s:
            self._send(pingreq_packet())
        self._keepalive_timer = self._loop.call_later(pause_s, self._check_alive)

    def _send(self, data: bytes) -> None:
        self._sent_s = self._loop.time()
        self._transport.write(data)

    def _abort(self, reason: str, code: int | None = None) -> None:
        """Cut the connection for ``reason``, first with DISCONNECT if there is a ``code`` for it."""
        if code is not None and self._accepted.done():
            self._transport.write(disconnect_packet(self._version, code))
        if not self._lost_reason:
            self._lost_reason = reason
        self._transport.abort()

    def _finish_with(self, reason: str, last_packet: bytes) -> None:
        """Send ``last_packet`` and close behind it."""
        if not self._lost_reason:
            self._lost_reason = reason
            self._transport.write(last_packet)
        self._transport.close()

    def _raise_if_lost(self) -> None:
        if self._lost_reason or self._closed.is_set():
            raise MqttError(self._lost_reason)

    def _new_packet_id(self) -> int:
        """Return an identifier that no packet in flight has."""
        while True:
            self._last_packet_id = self._last_packet_id % _PACKET_IDS + 1
            if self._last_packet_id not in self._unacknowledged and self._last_packet_id not in self._subscribing:
                return self._last_packet_id


_OTHER_VERSION: Final = {
    ProtocolVersion.V5: ProtocolVersion.V311,
    ProtocolVersion.V311: ProtocolVersion.V5,
}


def _ignore() -> None:
    """Do nothing: this message needs no follow-up."""


def _resolve(answer: asyncio.Future[None]) -> None:
    if not answer.done():
        answer.set_result(None)
