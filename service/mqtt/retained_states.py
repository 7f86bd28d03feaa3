"""Corrects states that an earlier run of the daemon left at the broker and that do not hold any longer.

A daemon that is killed leaves its last states behind: wheels that are on, links that stream.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from service.base.events import WheelsSwitched, event_id
from service.base.logs import get_logger
from service.base.source import LinkCounters, LinkReport, LinkState
from service.config.topic_root import TopicRoot
from service.mqtt.channels import LINK, SPINUP, Channel
from service.mqtt.connection import PublishingConnection
from service.mqtt.messages import OutgoingMessage, decode, event_message, link_message
from service.mqtt.publisher import Publisher
from service.mqtt.quiet import QuietPeriod
from service.mqtt.subscribing import PatientSubscriber
from stinger.device_name import DeviceName

_LOG: Final = get_logger(__name__)

_FILTERS: Final = (SPINUP.filter, LINK.filter)
_DEVICE_MS_LIMIT: Final = 1 << 32
_MODEL_MAX: Final = 128

Served = Callable[[], Collection[DeviceName]]
"""Returns the devices that the daemon has a source for, or has received something from."""


class RetainedStates:
    """Takes the retained messages of a broker, and publishes through ``publisher`` what holds instead.

    A state that this run of the daemon has published itself is left alone, and so is a message that is not the
    daemon's. After ``quiet_s`` seconds without another retained state, the broker has delivered them all. ``root`` is
    where topics below ``stinger`` are at the broker.
    """

    def __init__(self, publisher: Publisher, served: Served, *, quiet_s: float, root: TopicRoot) -> None:
        self._publisher = publisher
        self._served = served
        self._root = root
        self._quiet = QuietPeriod(quiet_s)
        self._corrected = False
        self._subscriber = PatientSubscriber()

    @property
    def corrected(self) -> bool:
        """Whether all states have been corrected."""
        return self._corrected

    async def correct(self, connection: PublishingConnection) -> None:
        """Subscribe to the states, wait until the broker has delivered them to :meth:`take`, and unsubscribe.

        Raises :class:`~service.mqtt.errors.MqttError` if the connection is lost.
        """
        await self._subscriber.subscribe(connection, [(name, 0) for name in _FILTERS])
        await self._quiet.wait()
        connection.unsubscribe(_FILTERS)
        self._corrected = True

    def correct_waiting(self, waiting: Mapping[str, OutgoingMessage]) -> None:
        """Take the messages of an earlier run that wait for the broker: the newest of each topic."""
        for topic, message in waiting.items():
            self.take(topic, message.payload)

    def take(self, topic: str, payload: bytes) -> None:
        """Take a retained message; publish a new state if it does not hold."""
        self._quiet.restart()
        device = SPINUP.device_of(topic) or LINK.device_of(topic)
        content = decode(payload)
        if device is None or content is None or content.get("device") != device:
            return
        state = content.get("state")
        if self._publisher.has_retained(topic):
            return
        if topic == SPINUP.topic(device):
            if state == "on":
                self._correct(SPINUP, device, event_message(_switched_off(device, content)))
        elif state in [each.value for each in LinkState if each is not LinkState.ENDED]:
            served = device in self._served()
            report = LinkReport(
                device,
                LinkState.CONNECTING if served else LinkState.ENDED,
                "" if served else "not served by the daemon any longer",
                LinkCounters(),
            )
            self._correct(LINK, device, link_message(report, time.time()))

    def _correct(self, channel: Channel, device: DeviceName, message: OutgoingMessage) -> None:
        _LOG.info("retained_state_corrected", device=device, topic=self._root.outward(channel.topic(device)))
        self._publisher.put(message)


def _switched_off(device: DeviceName, on: Mapping[str, Any]) -> WheelsSwitched:
    """Return the end of the spin-up whose beginning is ``on``. When and why it ended is not known."""
    device_ms, model = on.get("device_ms"), on.get("model")
    if not isinstance(device_ms, int) or not 0 <= device_ms < _DEVICE_MS_LIMIT:
        device_ms = 0
    now_s = time.time()
    return WheelsSwitched(
        device=device,
        device_ms=device_ms,
        host_s=now_s,
        on=False,
        probability=None,
        model=model[:_MODEL_MAX] if isinstance(model, str) else "",
        id=event_id("correction", device, round(now_s * 1000) - device_ms, device_ms),
    )
