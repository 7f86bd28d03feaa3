"""Connections to a broker, one interface for all of this package: MQTT 5 if the broker speaks it, else 3.1.1.

Two libraries speak MQTT below it: :mod:`service.mqtt.aiomqtt_connection` publishes,
:mod:`service.mqtt.gmqtt_connection` receives samples. This module has what both share: messages, waiting, and errors;
:mod:`service.mqtt.connector` chooses the version.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from service.config.topic_root import TopicRoot
from service.mqtt.broker_limits import BrokerLimits, Ending
from service.mqtt.connection_settings import ConnectionSettings, ProtocolVersion, QoS
from service.mqtt.errors import MessageRefusedError, MessageTooLongError, MqttError, NoAnswerError
from service.mqtt.messages import OutgoingMessage
from service.mqtt.packet_sizes import subscribe_packet_bytes

IN_FLIGHT: Final = 16
"""Publishes not yet acknowledged; below 20, the default of mosquitto and of paho-mqtt."""
MAX_PACKET_BYTES: Final = 1 << 20
"""Longest packet taken from a broker. Anyone who may publish a command could otherwise fill our memory."""


class IncomingMessage(NamedTuple):
    """A message from the broker.

    A named tuple, because it is built for each message of samples: that is faster than a dataclass.
    """

    topic: str
    payload: bytes
    retain: bool
    response_topic: str | None = None
    correlation_data: bytes | None = None


MessageHandler = Callable[[IncomingMessage, int], None]
"""Takes a message and ``time.monotonic_ns()`` of its arrival. Runs while the socket is read: it must not wait."""
WritableHandler = Callable[[], None]
"""Called when a congested connection takes data again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A broker's negative acknowledgement of a message."""

    code: int
    reason: str
    """The code in words, with the broker's own explanation if it gave one."""


RefusedHandler = Callable[[Refusal], None]


class Connection(ABC):
    """One connection to a broker, open until it is lost; it never reconnects.

    Made by :class:`~service.mqtt.connector.Connector`.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._limits = BrokerLimits()
        self._subscribing: dict[int, asyncio.Future[tuple[int, ...]]] = {}
        self._answers: set[asyncio.Future[None]] = set()
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self._lost = asyncio.Event()
        self._lost_reason = ""
        self._ending: Ending | None = None

    @property
    def version(self) -> ProtocolVersion:
        """The version of MQTT that this connection speaks."""
        return self._settings.version

    @property
    def limits(self) -> BrokerLimits:
        """What the broker announced when it accepted the connection, or less."""
        return self._limits

    @property
    def ending(self) -> Ending | None:
        """How the broker ended the connection after it had accepted it; ``None`` if it did not."""
        return self._ending

    @property
    def lost_reason(self) -> str:
        """Why the connection is lost, for a person; empty if it is not."""
        return self._lost_reason

    @property
    def root(self) -> TopicRoot:
        """Where topics below ``stinger`` are at the broker: what is logged has topics as they are there."""
        return self._settings.root

    def narrow_limits(self, limits: BrokerLimits) -> None:
        """Keep ``limits`` from now on, which are narrower than those that the broker announced."""
        self._limits = limits

    async def subscribe(self, filters: Sequence[tuple[str, QoS]]) -> tuple[int, ...]:
        """Subscribe to topic filters; return the broker's code for each, a refusal from 0x80 up.

        Raises :class:`MqttError` if the connection is lost, :class:`NoAnswerError` if there is no answer in time, and
        :class:`MessageTooLongError` if the packet is longer than the broker accepts.
        """
        self._raise_if_lost()
        self._check_length(subscribe_packet_bytes(self._settings.root.outward(name) for name, _ in filters))
        answer: asyncio.Future[tuple[int, ...]] = self._loop.create_future()
        packet_id = self._send_subscribe(filters)
        self._subscribing[packet_id] = answer
        within_s = self._settings.times.connect_s
        try:
            async with asyncio.timeout(within_s):
                codes = await answer
        except TimeoutError as error:
            raise NoAnswerError(f"no answer to the subscription within {within_s:g} s") from error
        finally:
            del self._subscribing[packet_id]
        if len(codes) != len(filters):
            raise MqttError(f"the broker answered {len(filters)} subscriptions with {len(codes)} codes")
        return codes

    async def wait_lost(self) -> None:
        """Wait until the connection is lost, then raise :class:`MqttError` with the reason."""
        await self._lost.wait()
        raise MqttError(self._lost_reason)

    @abstractmethod
    async def open(self) -> None:
        """Connect and wait until the broker accepts. Raises ``OSError`` if it cannot be reached, refuses or closes."""

    @abstractmethod
    async def close(self) -> None:
        """Send DISCONNECT, unless the connection is lost, and close, within about ``goodbye_s``."""

    @abstractmethod
    def abort(self) -> None:
        """Close the socket at once."""

    @abstractmethod
    def _send_subscribe(self, filters: Sequence[tuple[str, QoS]]) -> int:
        """Send SUBSCRIBE and return its packet identifier."""

    # The next methods are called by the libraries' callbacks, in the event loop's thread.

    def _accept(self, limits: BrokerLimits) -> None:
        """Record that the broker has accepted the connection."""
        if not self._accepted.done():
            self._limits = limits
            self._accepted.set_result(None)

    def _take_suback(self, packet_id: int, codes: Sequence[int]) -> None:
        answer = self._subscribing.get(packet_id)
        if answer is not None and not answer.done():
            answer.set_result(tuple(codes))

    def _lose(self, reason: str, code: int | None = None) -> None:
        """Fail everything that waits for the broker, for the first ``reason`` that is given: the connection is lost.

        ``code`` is the broker's reason code, if it gave one.
        """
        if self._lost.is_set():
            return
        self._lost_reason = reason
        waiting: list[asyncio.Future[Any]] = [self._accepted, *self._subscribing.values(), *self._answers]
        for future in waiting:
            if not future.done():
                future.set_exception(MqttError(reason, code=code))
                future.exception()  # nobody may be waiting for it any longer: asyncio would log it as never retrieved
        self._lost.set()

    def _lose_closed(self) -> None:
        """Record that the broker closed the connection without giving a reason."""
        self._end("the broker closed the connection" + ("" if self._accepted.done() else " before it accepted it"))

    def _end(self, reason: str, code: int | None = None) -> None:
        """Record that the broker has ended the connection, as :meth:`_lose` does, and how."""
        if self._accepted.done() and not self._lost.is_set():
            self._ending = self._ending_by(code)
        self._lose(reason, code)

    def _ending_by(self, code: int | None) -> Ending:
        return Ending(code)

    def _check_length(self, size: int) -> None:
        longest = self._limits.maximum_packet_bytes  # only MQTT 5 has it
        if longest is not None and size > longest:
            raise MessageTooLongError(f"{size} bytes, the broker takes at most {longest}")

    def _raise_if_lost(self) -> None:
        if self._lost.is_set():
            raise MqttError(self._lost_reason)


class PublishingConnection(Connection):
    """A connection that publishes as well."""

    @property
    @abstractmethod
    def congested(self) -> bool:
        """Whether the broker takes data more slowly than it is sent: hold back what need not be sent."""

    @abstractmethod
    def publish(
        self,
        message: OutgoingMessage,
        acknowledged: Callable[[], None] | None = None,
        refused: RefusedHandler | None = None,
        *,
        correlation_data: bytes | None = None,
    ) -> None:
        """Send ``message`` at once; ``acknowledged`` is called when the broker has it, for QoS 0 before this returns.

        ``refused`` is called instead if the broker refuses it; without ``refused``, that counts as an acknowledgement.
        To a broker without retained messages or without QoS 1, the message is sent without them; at QoS 0 it is
        acknowledged when the broker has answered something that was sent after it.

        Messages leave in the order of the calls. Raises :class:`MqttError` if the connection is lost,
        :class:`MessageTooLongError` for a message longer than the broker accepts, and another ``ValueError`` for a
        topic that cannot be published to.
        """

    def together(self) -> AbstractContextManager[None]:
        """Return a context within which messages may be held back, to leave together at its end: it must be short."""
        return nullcontext()

    @abstractmethod
    def unsubscribe(self, filters: Sequence[str]) -> None:
        """End subscriptions, without waiting for the answer. Raises :class:`MqttError` if the connection is lost."""

    async def deliver(self, message: OutgoingMessage, *, correlation_data: bytes | None = None) -> None:
        """Publish ``message`` and wait until the broker has it.

        Raises as :meth:`publish` does, and :class:`MessageRefusedError` if the broker refuses it.
        """
        answer: asyncio.Future[None] = self._loop.create_future()
        self._answers.add(answer)
        try:
            self.publish(
                message, partial(_resolve, answer), partial(_refuse, answer), correlation_data=correlation_data
            )
            await answer
        finally:
            self._answers.discard(answer)


def _resolve(answer: asyncio.Future[None]) -> None:
    if not answer.done():
        answer.set_result(None)


def _refuse(answer: asyncio.Future[None], refusal: Refusal) -> None:
    if not answer.done():
        answer.set_exception(MessageRefusedError(f"refused by the broker: {refusal.reason}"))
