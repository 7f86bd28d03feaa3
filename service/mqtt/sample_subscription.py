"""The subscription to the samples that blasters publish through a broker."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from service.base.logs import get_logger
from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot
from service.mqtt.connection import Connection, IncomingMessage
from service.mqtt.connection_settings import ConnectionTimes
from service.mqtt.connector import Connector
from service.mqtt.errors import MqttError
from service.mqtt.gmqtt_connection import GmqttConnection
from service.mqtt.reason_codes import REFUSED, suback_text
from service.sources.mqtt_devices import ReceivedMessage
from service.sources.mqtt_source import PREFIX
from stinger.wire.sample_messages import MESSAGE_MAX_BYTES, SAMPLES_LEVEL

WAITING_MAX: Final = 50_000
"""Messages that may wait to be scored: 10 s of a thousand blasters. Further ones are dropped; their counters show it."""
PACKET_MAX_BYTES: Final = MESSAGE_MAX_BYTES + 1024
"""The longest message of a blaster, with its topic. An MQTT 5 broker does not deliver longer ones, which would delay
all blasters; one of 3.1.1 does, which ends the connection."""

_LOG: Final = get_logger(__name__)


class SampleSubscription:
    """Connects to the broker at ``address`` and subscribes, each time that it is called.

    A :class:`~service.sources.mqtt_source.MqttSource` receives its samples through it. ``max_waiting`` messages are
    kept until they are fetched. ``root`` is where topics below ``stinger`` are at the broker.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        prefix: str = PREFIX,
        max_waiting: int = WAITING_MAX,
        times: ConnectionTimes | None = None,
        root: TopicRoot | None = None,
    ) -> None:
        self._filter = f"{prefix}/+/{SAMPLES_LEVEL}"
        self._max_waiting = max_waiting
        self._connector = Connector(GmqttConnection, address, max_packet_bytes=PACKET_MAX_BYTES, times=times, root=root)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[AsyncIterator[ReceivedMessage]]:
        """See :data:`service.sources.mqtt_source.Subscription`."""
        queue = _SampleQueue(self._max_waiting)
        async with self._connector.connect(queue.put) as connection:
            if not connection.limits.wildcards_available:
                raise MqttError("the broker takes no wildcards in subscriptions, which samples need")
            # QoS 1 lets each publisher use the QoS that it chose.
            (code,) = await connection.subscribe([(self._filter, 1)])
            if code >= REFUSED:
                raise MqttError(f"the broker refuses the subscription to samples: {suback_text(code)}")
            watching = asyncio.create_task(queue.close_with(connection), name="mqtt-samples-connection")
            try:
                yield queue
            finally:
                watching.cancel()
                await asyncio.wait({watching})


class _SampleQueue:
    """Messages that wait to be fetched.

    When the connection is lost, iterating raises the reason after the last message.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._messages: deque[ReceivedMessage] = deque()
        self._changed = asyncio.Event()
        self._lost: MqttError | None = None
        self._dropping = False

    def put(self, message: IncomingMessage, read_ns: int) -> None:
        """Add a message; drop one that is retained, and so is old, and one for which there is no room."""
        if message.retain:
            return
        if len(self._messages) >= self._max_waiting:
            level = logging.DEBUG if self._dropping else logging.WARNING
            _LOG.log(level, "samples_dropped", reason="scoring is behind", waiting=self._max_waiting)
            self._dropping = True
            return
        self._messages.append(ReceivedMessage(message.topic, message.payload, read_ns))
        self._changed.set()

    async def close_with(self, connection: Connection) -> None:
        """End the iteration when ``connection`` is lost."""
        try:
            await connection.wait_lost()
        except MqttError as error:
            self._lost = error
            self._changed.set()

    def __aiter__(self) -> AsyncIterator[ReceivedMessage]:
        return self

    async def __anext__(self) -> ReceivedMessage:
        while not self._messages:
            self._dropping = False
            if self._lost is not None:
                raise self._lost
            self._changed.clear()
            await self._changed.wait()
        return self._messages.popleft()
