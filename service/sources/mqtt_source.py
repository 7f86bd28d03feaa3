"""A source of the samples that devices publish over MQTT themselves: any number of devices, added as they appear."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from service.base.backoff import Backoff
from service.base.hold_up import HoldUpDetector
from service.base.logs import get_logger
from service.base.source import Intake
from service.config.topic_root import TopicRoot
from service.sources.device_limit import DeviceLimit
from service.sources.mqtt_devices import MqttDevices, ReceivedMessage
from stinger.device_name import DeviceName

PREFIX: Final = "stinger"
SILENCE_S: Final = 2.0
"""A device counts as silent after this long without a message."""

_CHECKS_PER_SILENCE: Final = 4
_LOG: Final = get_logger(__name__)


Subscription = Callable[[], AbstractAsyncContextManager[AsyncIterator[ReceivedMessage]]]
"""Connects, subscribes to ``<prefix>/+/samples`` and iterates over the messages. Both steps raise ``OSError`` on
failure.
"""


class MqttSource:
    """``mqtt:``. Every device that publishes to ``<prefix>/<device>/samples`` has a link of its own.

    Messages are delivered one by one, so while the daemon is behind, they wait in the MQTT client.
    """

    def __init__(
        self,
        url: str,
        subscribe: Subscription,
        *,
        prefix: str = PREFIX,
        silence_s: float = SILENCE_S,
        backoff: Backoff | None = None,
        limit: DeviceLimit | None = None,
        root: TopicRoot | None = None,
    ) -> None:
        self._url = url
        self._subscribe = subscribe
        self._devices = MqttDevices(prefix, silence_s, limit, root)
        self._silence_s = silence_s
        self._backoff = Backoff() if backoff is None else backoff

    @property
    def url(self) -> str:
        """See :class:`service.base.source.Source`."""
        return self._url

    def forget(self, device: DeviceName) -> bool:
        """Forget ``device``; it is new if it publishes again. Return whether it was known.

        Raises :class:`~stinger.errors.InputError` if it still publishes.
        """
        return self._devices.forget(device)

    async def run(self, intake: Intake) -> None:
        """See :class:`service.base.source.Source`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(intake), name="mqtt-samples")
            group.create_task(self._check_silence(intake), name="mqtt-silence")

    async def _listen(self, intake: Intake) -> None:
        failures = 0
        while True:
            try:
                async with self._subscribe() as messages:
                    async for message in messages:
                        failures = 0
                        self._backoff.reset()
                        for block in self._devices.receive(message, intake):
                            await intake.put(block)
                reason = "the broker has ended the subscription"
            except OSError as error:
                reason = str(error)
            failures += 1
            level = logging.WARNING if failures == 1 else logging.DEBUG
            _LOG.log(level, "sample_subscription_lost", reason=reason)
            self._devices.disconnected(f"no connection to the broker: {reason}", intake)
            await asyncio.sleep(self._backoff.next_s())

    async def _check_silence(self, intake: Intake) -> None:
        hold_up = HoldUpDetector()
        while True:
            if not await hold_up.sleep(self._silence_s / _CHECKS_PER_SILENCE):
                self._devices.check_silence(intake)
