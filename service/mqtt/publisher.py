"""What is to be published and in which order: the outbox, the newest of each state, and what only lives now."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from service.mqtt.channels import DeliveryPolicy
from service.mqtt.connection import IN_FLIGHT, Connection, MqttError
from service.mqtt.messages import OutgoingMessage
from service.mqtt.outbox import Entry, Outbox

AcknowledgedHandler = Callable[[float], None]
"""Takes the seconds from :meth:`Outbox.put` to the broker's acknowledgement."""

_ACKNOWLEDGE_S = 60.0
"""A broker that takes longer is given up. That it is alive at all is told sooner, by its answers to pings."""
_LIVE_MESSAGES = 1000
_EVENTS_IN_FLIGHT = IN_FLIGHT - 4
"""Some room is left to states: a long backlog must not keep them back."""


class Publisher:
    """Holds messages and publishes them through one client after another, each as its :class:`DeliveryPolicy` says."""

    def __init__(self, outbox: Outbox, on_acknowledged: AcknowledgedHandler | None = None) -> None:
        self._outbox = outbox
        self._on_acknowledged = on_acknowledged
        self._retained: dict[str, OutgoingMessage] = {}
        self._latest: dict[str, OutgoingMessage] = {}
        self._live: deque[OutgoingMessage] = deque(maxlen=_LIVE_MESSAGES)
        self._connection: Connection | None = None
        self._events_in_flight: dict[int, float] = {}
        self._states_in_flight: dict[int, float] = {}
        self._state_numbers = itertools.count()
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()

    def put(self, message: OutgoingMessage) -> None:
        """Take ``message`` in. Returns at once."""
        if message.retain:
            self._retained[message.topic] = message
        if message.delivery is DeliveryPolicy.EVERY:
            self._outbox.put(message)
        elif message.delivery is DeliveryPolicy.LATEST:
            self._latest[message.topic] = message
        elif self._connection is not None:
            self._live.append(message)
        self._publish_what_waits()

    def announce(self) -> None:
        """Have everything that is retained said again, except what the outbox is about to say anyway."""
        pending = self._outbox.topics()
        self._latest.update({topic: message for topic, message in self._retained.items() if topic not in pending})
        self._publish_what_waits()

    async def publish_through(self, connection: Connection) -> None:
        """Publish until cancelled; what was under way then waits again. Raises ``MqttError`` when the connection is lost."""
        self._connection = connection
        try:
            while True:
                self._publish_what_waits()
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_ACKNOWLEDGE_S / 4):
                        await self._wake.wait()
                self._check_acknowledgements()
        finally:
            self._connection = None
            self._live.clear()
            self._events_in_flight.clear()
            self._states_in_flight.clear()
            self._outbox.requeue()

    async def drain(self, within_s: float) -> None:
        """Wait until everything is delivered, at most ``within_s``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._outbox.depth or self._latest or self._states_in_flight:
                    self._progress.clear()
                    await self._progress.wait()

    def _publish_what_waits(self) -> None:
        connection = self._connection
        if connection is None:
            return
        # Where the connection turns out to be gone, whoever listens on it is about to learn so, and all of it is kept.
        with suppress(MqttError):
            while len(self._events_in_flight) < _EVENTS_IN_FLIGHT and (entry := self._outbox.take()) is not None:
                self._events_in_flight[entry.number] = time.monotonic()
                connection.publish(entry.message, partial(self._event_acknowledged, entry))
            while self._latest and len(self._events_in_flight) + len(self._states_in_flight) < IN_FLIGHT:
                message = self._latest.pop(next(iter(self._latest)))
                number = next(self._state_numbers)
                self._states_in_flight[number] = time.monotonic()
                connection.publish(message, partial(self._state_acknowledged, number))
            while self._live:
                connection.publish(self._live.popleft(), _no_matter)

    def _event_acknowledged(self, entry: Entry) -> None:
        # Of a connection that is over: the event waits again, and is sent a second time.
        if self._events_in_flight.pop(entry.number, None) is None:
            return
        self._outbox.acknowledge(entry.number)
        if entry.put_ns is not None and self._on_acknowledged is not None:
            self._on_acknowledged((time.monotonic_ns() - entry.put_ns) / 1e9)
        self._moved_on()

    def _state_acknowledged(self, number: int) -> None:
        self._states_in_flight.pop(number, None)
        self._moved_on()

    def _moved_on(self) -> None:
        # Publishing more from here would be inside of paho's reading; the task does it.
        if self._latest or self._outbox.depth:
            self._wake.set()
        self._progress.set()

    def _check_acknowledgements(self) -> None:
        for sent_s in (*self._events_in_flight.values(), *self._states_in_flight.values()):
            if time.monotonic() - sent_s > _ACKNOWLEDGE_S:
                raise MqttError(f"no acknowledgement within {_ACKNOWLEDGE_S:g} s")


def _no_matter() -> None:
    """What is live is not waited for."""
