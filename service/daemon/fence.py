"""The last check before a message is sent: whether this daemon may still publish for the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from service.base.logs import RepeatedFailure, get_logger
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.messages import OutgoingMessage
from service.sources.nats_leases import partition_of
from stinger.device_name import DAEMON, DeviceName
from stinger.units import NS_PER_S

_DEVICE_LEVELS: Final = 3
_ROOT: Final = "stinger"
_LOG: Final = get_logger(__name__)


class Fence:
    """Admits the messages of devices whose partition this daemon holds at that moment, according to ``is_valid``.

    Of a partition that another daemon may hold, states and telemetry are not sent. An event that may have been
    committed (it was in the outbox when a position after its samples was written) is sent, but not retained, so that it
    does not replace a newer state: perhaps nobody else has it. Any other event is dropped: the next holder finds it
    again. Messages of the daemon itself and of the devices ``exempt`` are always sent. ``clock_ns`` is monotonic; it
    continues while the process is stopped.
    """

    def __init__(
        self,
        partitions: int,
        *,
        exempt: Collection[DeviceName] = (),
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.refused = 0
        """Messages that were not sent."""
        self._partitions = partitions
        self._exempt = frozenset(exempt)
        self._clock_ns = clock_ns
        self._committed_ns = [-1] * partitions
        self._known: dict[str, int] = {}
        self._failure = RepeatedFailure(_LOG, "message_of_another_daemon_dropped")
        self.is_valid: Callable[[int, float], bool] = lambda _partition, _now_s: False
        """Returns whether this daemon holds a partition at a time in seconds of the monotonic clock."""

    def learn(self, device: DeviceName, partition: int) -> None:
        """Note in which partition the samples of ``device`` arrived."""
        self._known[device] = partition

    def commit(self, partition: int, captured_ns: int) -> None:
        """Note that the stored position of ``partition`` may pass the events put into the outbox before ``captured_ns``."""
        self._committed_ns[partition] = max(captured_ns, self._committed_ns[partition])

    def admit(self, message: OutgoingMessage, put_ns: int | None) -> OutgoingMessage | None:
        """Return what to send instead of ``message``, ``None`` for nothing.

        See :data:`service.mqtt.admission.Admission`.
        """
        levels = message.topic.split("/", _DEVICE_LEVELS)
        device = levels[1] if len(levels) >= _DEVICE_LEVELS and levels[0] == _ROOT else DAEMON
        if device == DAEMON or device in self._exempt:
            return message
        partition = self._known.get(device)
        if partition is None:
            partition = partition_of(device, self._partitions)
        if self.is_valid(partition, self._clock_ns() / NS_PER_S):
            return message
        if message.delivery is DeliveryPolicy.EVERY and (put_ns is None or put_ns <= self._committed_ns[partition]):
            return replace(message, retain=False)
        self.refused += 1
        self._failure.log("its partition is no longer held", partition=partition, topic=message.topic)
        return None
