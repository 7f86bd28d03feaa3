"""Blasters that publish their samples over MQTT themselves: any number of them, each there as soon as it is heard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from service.base.backoff import Backoff
from service.base.source import Intake
from service.sources.mqtt_devices import MqttDevices, ReceivedMessage

PREFIX: Final = "stinger"
SILENCE_S: Final = 2.0
_CHECKS_PER_SILENCE: Final = 4
_LOG: Final = logging.getLogger(__name__)


Subscription = Callable[[], AbstractAsyncContextManager[AsyncIterator[ReceivedMessage]]]
"""Connects and subscribes to ``<prefix>/+/samples``; raises ``OSError`` there, or later where messages end."""


class MqttSource:
    """``mqtt:``. Every device that publishes at ``<prefix>/<device>/samples`` is a link of its own.

    One message after another is handed to the flow, so a flow that is behind lets the messages wait in the client.
    """

    def __init__(
        self,
        url: str,
        subscribe: Subscription,
        *,
        prefix: str = PREFIX,
        silence_s: float = SILENCE_S,
        backoff: Backoff | None = None,
    ) -> None:
        self._url = url
        self._subscribe = subscribe
        self._blasters = MqttDevices(prefix, silence_s)
        self._silence_s = silence_s
        self._backoff = Backoff() if backoff is None else backoff

    @property
    def url(self) -> str:
        """See :class:`service.base.source.Source`."""
        return self._url

    async def run(self, intake: Intake) -> None:
        """See :class:`service.base.source.Source`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(intake), name="mqtt-samples")
            group.create_task(self._watch(intake), name="mqtt-silence")

    async def _listen(self, intake: Intake) -> None:
        failures = 0
        while True:
            try:
                async with self._subscribe() as messages:
                    async for message in messages:
                        failures = 0
                        self._backoff.reset()
                        for block in self._blasters.receive(message, intake):
                            await intake.put(block)
                reason = "the broker has ended the subscription"
            except OSError as error:
                reason = str(error)
            failures += 1
            _LOG.log(logging.WARNING if failures == 1 else logging.DEBUG, "samples source=mqtt reason=%r", reason)
            self._blasters.disconnected(f"no connection to the broker: {reason}", intake)
            await asyncio.sleep(self._backoff.next_s())

    async def _watch(self, intake: Intake) -> None:
        while True:
            await asyncio.sleep(self._silence_s / _CHECKS_PER_SILENCE)
            self._blasters.check(intake)
