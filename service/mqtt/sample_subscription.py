"""Samples that blasters publish, taken from a broker. All that is particular to gmqtt stands here.

It takes a message for a quarter of what the publishing library needs, which decides how many blasters a hall can have.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from gmqtt import Client, MQTTConnectError
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

from service.config.broker_address import BrokerAddress
from service.sources.mqtt_devices import ReceivedMessage
from service.sources.mqtt_source import PREFIX
from stinger.wire.sample_messages import MESSAGE_MAX_BYTES, SAMPLES_LEVEL

WAITING_MAX: Final = 50_000
"""Messages that may wait here: 10 s of a thousand blasters. What comes on top is dropped, which their counters tell."""
PACKET_MAX_BYTES: Final = MESSAGE_MAX_BYTES + 1024
"""With its topic. A broker that speaks MQTT 5 keeps back what is longer, which would hold up all blasters."""

_CONNECT_S: Final = 5.0
_GOODBYE_S: Final = 0.5
_KEEPALIVE_S: Final = 15
_REFUSED: Final = 0x80
"""From here on a broker's answer to a subscription says no."""
_NEVER: Final = -2  # -1 would be for ever, and 0 is once

_LOG: Final = logging.getLogger(__name__)
# What the library has to say is told by the exceptions as well.
_library_logger = logging.getLogger("gmqtt")
_library_logger.setLevel(logging.CRITICAL + 1)


class SampleSubscription:
    """Connects to the broker at ``address``, and subscribes, each time that it is called.

    It is what a :class:`~service.sources.mqtt_source.MqttSource` subscribes with.
    """

    def __init__(self, address: BrokerAddress, *, prefix: str = PREFIX) -> None:
        self._address = address
        self._filter = f"{prefix}/+/{SAMPLES_LEVEL}"
        self._version = MQTTv311 if address.embedded else MQTTv50
        self._answered = address.embedded

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[AsyncIterator[ReceivedMessage]]:
        """See :data:`service.sources.mqtt_source.Subscription`."""
        arrivals = _Arrivals()
        # A client serves one connection: when to make the next one is the source's business, not the library's.
        client = Client(f"stinger-{secrets.token_hex(6)}", logger=_library_logger, maximum_packet_size=PACKET_MAX_BYTES)
        client.set_config({"reconnect_retries": _NEVER})
        client.on_message = arrivals.on_message
        client.on_disconnect = arrivals.on_disconnect
        client.on_subscribe = arrivals.on_subscribe
        try:
            await self._connect(client, arrivals)
            yield arrivals
        finally:
            with suppress(OSError):
                async with asyncio.timeout(_GOODBYE_S):
                    await client.disconnect()

    async def _connect(self, client: Any, arrivals: _Arrivals) -> None:
        """Connect and subscribe. Raises ``OSError`` where there is no connection to be had, or no right to it."""
        try:
            async with asyncio.timeout(_CONNECT_S):
                await self._let_in(client, arrivals)
                self._answered = True
                # QoS 1 lets each publisher have the one it chose.
                client.subscribe(self._filter, qos=1)
                await arrivals.subscribed()
        except MQTTConnectError as error:
            self._try_the_other(client)
            raise ConnectionError(str(error)) from error
        except TimeoutError as error:
            self._try_the_other(client)
            raise ConnectionError(f"no answer within {_CONNECT_S:g} s") from error
        except ConnectionError:
            self._try_the_other(client)
            raise

    async def _let_in(self, client: Any, arrivals: _Arrivals) -> None:
        """Wait until the broker lets us in, or closes the connection instead, which the library does not look for."""
        if self._address.user is not None:
            client.set_auth_credentials(self._address.user, self._address.password)
        opening = client.connect(
            self._address.host,
            self._address.port,
            ssl=self._address.tls or False,
            keepalive=_KEEPALIVE_S,
            version=self._version,
        )
        connecting = asyncio.ensure_future(opening)
        closed = asyncio.ensure_future(arrivals.closed.wait())
        try:
            await asyncio.wait({connecting, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                raise ConnectionError("closed by the broker before it let us in")
            await connecting
            _guard(client._connection)  # noqa: SLF001 - see there
        except asyncio.CancelledError:
            # In the moment between connecting and greeting, the library does not take it well.
            await asyncio.wait({connecting}, timeout=_GOODBYE_S)
            raise
        finally:
            connecting.cancel()
            closed.cancel()
            await asyncio.gather(connecting, closed, return_exceptions=True)

    def _try_the_other(self, client: Any) -> None:
        """Try the other version of MQTT next, if there is a broker: an old one refuses version 5 in one of many ways."""
        if not self._answered and client._connection is not None:  # noqa: SLF001 - it is not told otherwise
            self._version = MQTTv311 if self._version == MQTTv50 else MQTTv50


def _guard(connection: Any) -> None:
    """End the connection where the library would wait without end, or let pile up what comes."""
    if not 0 < connection.keepalive <= _KEEPALIVE_S:  # as the broker wished, so that its own death is not noticed
        connection.keepalive = _KEEPALIVE_S
    close_in_order = connection.close
    protocol = connection._protocol  # noqa: SLF001 - there is no other way in
    transport = connection._transport  # noqa: SLF001
    read = protocol._read_packet  # noqa: SLF001

    async def close() -> None:
        silent_s = time.monotonic() - connection._last_data_in  # noqa: SLF001
        if silent_s >= 2 * connection.keepalive:
            transport.abort()  # TLS would wait half a minute for an answer
        await close_in_order()

    def read_packet(data: bytes) -> int:
        """Of a packet that is longer than any of a blaster, what came is copied again with all that comes."""
        parsed: int = read(data)
        if parsed < 0 or len(data) - parsed > PACKET_MAX_BYTES:
            _LOG.warning("connection given up, something longer than any message of a blaster came")
            transport.abort()
            return -1
        return parsed

    connection.close = close
    protocol._read_packet = read_packet  # noqa: SLF001


class _Arrivals:
    """The messages that came and were not fetched, each with the moment of its arrival.

    Iterating ends with :class:`ConnectionError`, behind the last of them. The methods named ``on_`` are the library's
    callbacks.
    """

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._waiting: deque[ReceivedMessage] = deque()
        self._news = asyncio.Event()
        self._granted: int | None = None
        self._dropping = False

    def on_message(
        self, _client: Any, topic: str | bytes, payload: bytes, _qos: int, properties: dict[str, Any]
    ) -> int:
        """Have a message wait, unless it is retained, and so old, or its topic is no text, or too many wait."""
        if properties["retain"] or isinstance(topic, bytes):
            return 0
        if len(self._waiting) >= WAITING_MAX:
            _LOG.log(
                logging.DEBUG if self._dropping else logging.WARNING,
                "messages dropped, more than can be scored waiting=%d",
                WAITING_MAX,
            )
            self._dropping = True
            return 0
        self._waiting.append(ReceivedMessage(topic, payload, time.monotonic_ns()))
        self._news.set()
        return 0

    def on_subscribe(self, _client: Any, _number: int, granted: tuple[int, ...], _properties: Any) -> None:
        self._granted = granted[0]
        self._news.set()

    def on_disconnect(self, _client: Any, _packet: Any, _error: Exception | None = None) -> None:
        self.closed.set()
        self._news.set()

    async def subscribed(self) -> None:
        """Wait for the broker's answer to the subscription. Raises :class:`ConnectionError` if it says no, or nothing."""
        while self._granted is None:
            await self._wait()
        if self._granted >= _REFUSED:
            raise ConnectionError("the broker does not let this user subscribe to samples")

    def __aiter__(self) -> AsyncIterator[ReceivedMessage]:
        return self

    async def __anext__(self) -> ReceivedMessage:
        while not self._waiting:
            self._dropping = False
            await self._wait()
        return self._waiting.popleft()

    async def _wait(self) -> None:
        """Wait for news. Raises :class:`ConnectionError` when there will be no more."""
        if self.closed.is_set():
            raise ConnectionError("connection lost")
        self._news.clear()
        await self._news.wait()
