"""amqtt's broker with limits on what it keeps, and a check of whether its own tasks still run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.errors import AMQTTError, MQTTError, ProtocolHandlerError
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import Session

from service.base.logs import RepeatedFailure, get_logger
from service.mqtt.embedded_limits import EmbeddedLimits

LISTENER: Final = "default"
"""Name of the listener that clients are passed to."""
_HANDLERS: Final = tuple(
    f"handle_{packet}"
    for packet in (
        "publish",
        "puback",
        "pubrec",
        "pubrel",
        "pubcomp",
        "subscribe",
        "unsubscribe",
        "pingreq",
        "disconnect",
    )
)
"""The methods that amqtt runs in tasks of their own, one for each packet."""
_REFUSED: Final = 0x80
"""The return code of a subscription that is refused."""

_LOG = get_logger(__name__)


class LimitedBroker(Broker):  # type: ignore[misc]  # amqtt has no types
    """A broker without a port of its own: every client that is passed to it is served."""

    def __init__(self, limits: EmbeddedLimits) -> None:
        # Its clients are the daemon and people on this machine: its log lines about them are noise.
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        # Sessions of anonymous clients end with their connections: nothing is queued for absent subscribers.
        plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        super().__init__(
            BrokerConfig(listeners={LISTENER: ListenerConfig(type=ListenerType.EXTERNAL)}, plugins=plugins)
        )
        # amqtt goes through it while clients subscribe, and would disconnect one that connects at that moment.
        self._subscriptions = _Subscriptions()
        self._limits = limits
        self._retained_bytes = 0
        self._served: dict[int, Session] = {}
        self._not_retained = RepeatedFailure(_LOG, "message_not_retained")

    @property
    def backlog(self) -> int:
        """Number of messages that have been received and not distributed yet."""
        waiting: int = self._broadcast_queue.qsize()
        received: int = sum(session.delivered_message_queue.qsize() for session in self._served.values())
        return waiting + received

    @property
    def problem(self) -> str:
        """Why it does not work, as one of its tasks has ended; empty while it works."""
        for name, task in (
            ("distributes messages", self._broadcast_task),
            ("ends sessions", self._session_monitor_task),
        ):
            if task is None or task.done():
                return f"the task that {name} has ended"
        return ""

    async def _handle_client_session(
        self, reader: object, writer: object, session: Session, handler: BrokerProtocolHandler, *arguments: object
    ) -> None:
        # The connection may end while packets of it are handled: amqtt would leave an exception for each of them.
        for name in _HANDLERS:
            setattr(handler, name, _until_the_end(getattr(handler, name)))
        await super()._handle_client_session(reader, writer, session, handler, *arguments)

    async def _client_message_loop(self, session: Session, handler: BrokerProtocolHandler) -> None:
        """Serve a client, and distribute what it had sent before it disconnected.

        amqtt would keep that, and never distribute it.
        """
        key = id(handler)
        self._served[key] = session
        if handler._reader_stopped.is_set():  # noqa: SLF001 - the client left before it was served
            await handler.handle_connection_closed()  # again: amqtt has begun to wait for it anew, for ever
        try:
            await super()._client_message_loop(session, handler)
            while not session.delivered_message_queue.empty():
                waiting = asyncio.get_running_loop().create_future()
                waiting.set_result(session.delivered_message_queue.get_nowait())
                if not await self._handle_message_delivery(session, handler, waiting):
                    break
        finally:
            del self._served[key]
            while not session.delivered_message_queue.empty():
                session.delivered_message_queue.get_nowait()

    async def retain_message(
        self, source_session: Session | None, topic_name: str | None, data: bytes | None, qos: int | None = None
    ) -> None:
        """Keep ``data`` as the message of ``topic_name``, unless that would exceed a limit; without data, forget it."""
        if topic_name is None:
            return
        known = self.retained_messages.get(topic_name)
        before = 0 if known is None else _size(topic_name, known.data)
        after = _size(topic_name, data) if data else 0
        limits = self._limits
        full = after and known is None and len(self.retained_messages) >= limits.retained_messages
        if full or (after and self._retained_bytes - before + after > limits.retained_bytes):
            reason = f"{limits.retained_messages:,} messages" if full else f"{limits.retained_bytes:,} bytes"
            self._not_retained.log(f"{reason} are retained already", topic=topic_name)
            data, after = b"", 0  # a new subscriber gets no message rather than an outdated one
        self._retained_bytes += after - before
        await super().retain_message(source_session, topic_name, data, qos)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Send what is retained for a subscription of ``session``; amqtt also tries those of others when it connects."""
        if any(other is session for other, _ in self._subscriptions.get(subscription[0], ())):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    async def add_subscription(self, subscription: tuple[str, int], session: Session) -> int:
        """Add a subscription and return its QoS, or 0x80 for one that is not valid or exceeds a limit."""
        count = sum(map(len, self.subscriptions.values()))
        if count >= self._limits.subscriptions or len(subscription[0]) > self._limits.filter_characters:
            return _REFUSED
        qos: int = await super().add_subscription(subscription, session)
        return qos


class _Subscriptions(dict[str, list[tuple[Session, int]]]):
    """Subscriptions by topic filter, which may change while they are gone through."""

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(super().keys()))

    def items(self) -> Any:
        """Return the items that there are now."""
        return tuple(super().items())


def _until_the_end(handle: Callable[[object], Awaitable[None]]) -> Callable[[object], Awaitable[None]]:
    """Return ``handle``, a coroutine function, but for the errors that a packet, or the end of the connection, raises in it."""

    async def handle_packet(packet: object) -> None:
        with suppress(ProtocolHandlerError, MQTTError, AMQTTError):
            await handle(packet)

    return handle_packet


def _size(topic: str, data: bytes) -> int:
    return len(topic.encode(errors="replace")) + len(data)
