"""A connection to a broker for an ``mqtt:`` source alone, by aiomqtt.

On Windows it needs the selector event loop: ``asyncio.SelectorEventLoop``.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import aiomqtt

from service.sources.blasters import Message
from service.sources.mqtt import PREFIX, Subscription
from stinger.wire.sample_messages import SAMPLES_LEVEL

RECEIVE_QUEUE: Final = 50_000
"""Messages that may wait here: 10 s of a thousand blasters. What comes on top is dropped by the client, which logs it."""

_LOG: Final = logging.getLogger(__name__)


def subscription(host: str, port: int = 1883, *, prefix: str = PREFIX, **options: Any) -> Subscription:
    """What an :class:`~service.sources.mqtt.MqttSource` subscribes with; ``options`` are aiomqtt's, for a login or TLS."""

    @asynccontextmanager
    async def subscribe() -> AsyncIterator[AsyncIterator[Message]]:
        try:
            # A client serves one connection: an old one sends again what it had refused.
            async with aiomqtt.Client(
                host,
                port,
                logger=_LOG,
                max_queued_incoming_messages=RECEIVE_QUEUE,
                socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
                **options,
            ) as client:
                # QoS 1 lets each publisher have the one it chose.
                await client.subscribe(f"{prefix}/+/{SAMPLES_LEVEL}", qos=1)
                async with aclosing(_messages(client)) as messages:
                    yield messages
        except aiomqtt.MqttError as error:
            raise ConnectionError(str(error)) from error

    return subscribe


async def _messages(client: aiomqtt.Client) -> AsyncGenerator[Message, None]:
    async for message in client.messages:
        if isinstance(message.payload, bytes) and not message.retain:
            yield Message(str(message.topic), message.payload, time.monotonic_ns())
