"""The newest message of each topic: those that wait to be sent, and those that the broker retains."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from service.mqtt.channels import DeliveryPolicy
from service.mqtt.messages import OutgoingMessage


class LatestStates:
    """The states of which only the newest is sent. As a collection, the topics of those that wait."""

    def __init__(self) -> None:
        self._waiting: dict[str, OutgoingMessage] = {}
        self._retained: dict[str, OutgoingMessage] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def topics(self) -> Collection[str]:
        """The topics of the messages that wait, the oldest first."""
        return self._waiting.keys()

    def put(self, message: OutgoingMessage) -> None:
        """Keep ``message`` as the newest of its topic if it is retained, and to be sent if it is a state."""
        if message.retain and message.payload:
            self._retained[message.topic] = message
        elif message.retain:  # the broker is to delete what it retains of this topic
            self.withdraw([message.topic])
        if message.delivery is DeliveryPolicy.LATEST:
            self._waiting[message.topic] = message

    def send_once(self, message: OutgoingMessage) -> None:
        """Have ``message`` wait to be sent, whatever its delivery policy."""
        self._waiting[message.topic] = message

    def withdraw(self, topics: Iterable[str]) -> None:
        """Forget what waits and what is retained of ``topics``."""
        for topic in topics:
            self._retained.pop(topic, None)
            self._waiting.pop(topic, None)

    def has_retained(self, topic: str) -> bool:
        """Return whether a message for ``topic`` that the broker retains was put."""
        return topic in self._retained

    def repeat_retained(self, *, without: Collection[str]) -> None:
        """Have everything that is retained wait to be sent again, except the topics ``without``."""
        self._waiting.update({topic: message for topic, message in self._retained.items() if topic not in without})

    def take(self, topic: str | None = None) -> OutgoingMessage:
        """Remove and return the message of ``topic``, or else the one that has waited longest."""
        return self._waiting.pop(next(iter(self._waiting)) if topic is None else topic)
