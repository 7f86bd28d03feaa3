"""Samples that blasters publish, through aiomqtt but past its queue."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import aiomqtt

from service.sources.blasters import Message
from service.sources.mqtt import PREFIX, Subscription
from stinger.wire.sample_messages import SAMPLES_LEVEL

WAITING_MAX: Final = 50_000
"""Messages that may wait here: 10 s of a thousand blasters. What comes on top is dropped, which their counters tell."""

_LOG: Final = logging.getLogger(__name__)


def subscription(host: str, port: int = 1883, *, prefix: str = PREFIX, **options: Any) -> Subscription:
    """What an :class:`~service.sources.mqtt.MqttSource` subscribes with; ``options`` are aiomqtt's, for a login or TLS."""

    @asynccontextmanager
    async def subscribe() -> AsyncIterator[AsyncIterator[Message]]:
        arrivals = _Arrivals()
        try:
            # A client serves one connection: an old one sends again what it had refused.
            async with aiomqtt.Client(
                host,
                port,
                logger=_LOG,
                queue_type=partial(_PastQueue, arrivals),  # type: ignore[arg-type]  # called as the class would be
                socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
                **options,
            ) as client:
                # QoS 1 lets each publisher have the one it chose.
                await client.subscribe(f"{prefix}/+/{SAMPLES_LEVEL}", qos=1)
                ending = asyncio.create_task(_end_of(client), name="mqtt-samples-end")
                ending.add_done_callback(arrivals.end)
                try:
                    yield arrivals
                finally:
                    ending.cancel()
                    await asyncio.wait({ending})
        except aiomqtt.MqttError as error:
            raise ConnectionError(str(error)) from error

    return subscribe


class _Arrivals:
    """The messages that came and were not fetched, each with the moment of its arrival.

    Iterating ends with :class:`ConnectionError`, behind the last of them.
    """

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque()
        self._news = asyncio.Event()
        self._ended = ""
        self._dropping = False

    def take(self, message: aiomqtt.Message) -> None:
        """Have ``message`` wait, unless it is retained, and so old, or too many do."""
        if not isinstance(message.payload, bytes) or message.retain:
            return
        if len(self._waiting) >= WAITING_MAX:
            _LOG.log(
                logging.DEBUG if self._dropping else logging.WARNING,
                "messages dropped, more than can be scored waiting=%d",
                WAITING_MAX,
            )
            self._dropping = True
            return
        self._waiting.append(Message(message.topic.value, message.payload, time.monotonic_ns()))
        self._news.set()

    def end(self, connection: asyncio.Task[None]) -> None:
        """End the iteration behind what waits, as ``connection`` has ended."""
        failure = None if connection.cancelled() else connection.exception()
        self._ended = str(failure or "closed")
        self._news.set()

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        while not self._waiting:
            if self._ended:
                raise ConnectionError(self._ended)
            self._dropping = False
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()


class _PastQueue(asyncio.Queue[aiomqtt.Message]):
    """The client's queue, which stays empty: fetched from it, each message would cost a task, and three times as much."""

    def __init__(self, arrivals: _Arrivals, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._arrivals = arrivals

    def put_nowait(self, item: aiomqtt.Message) -> None:
        self._arrivals.take(item)


async def _end_of(client: aiomqtt.Client) -> None:
    """Wait until the connection is lost, which only who waits for messages is told, with an error."""
    async for _ in client.messages:
        pass
