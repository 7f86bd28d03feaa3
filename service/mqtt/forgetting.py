"""Clears what a daemon has left retained at its broker about devices that are gone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot
from service.mqtt.aiomqtt_connection import AiomqttConnection
from service.mqtt.channels import DISCOVERY, LINK, MODEL, SPINUP, STATUS_TOPIC, DeliveryPolicy
from service.mqtt.connection import IncomingMessage
from service.mqtt.connector import Connector
from service.mqtt.discovery import discovery_topic, object_id
from service.mqtt.errors import MqttError
from service.mqtt.messages import OutgoingMessage, decode
from service.mqtt.quiet import QuietPeriod
from service.mqtt.subscribing import subscribe_to_all
from stinger.device_name import DeviceName, parse_device_name
from stinger.errors import InputError

QUIET_S: Final = 1.0
"""After so long without another retained message, the broker has delivered them all."""
_DEVICE_CHANNELS: Final = (SPINUP, LINK, MODEL)
_DISCOVERY_FILTER: Final = DISCOVERY.address.replace("{id}", "+")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was cleared."""

    devices: tuple[DeviceName, ...]
    """In alphabetical order."""
    in_use: tuple[DeviceName, ...]
    """Devices that were left alone, because a daemon that is online serves them."""
    online: bool
    """Whether a daemon with this root is online. Its status is cleared only if not, and only with all devices."""


async def forget(
    address: BrokerAddress, root: TopicRoot, devices: Collection[DeviceName] | None, *, quiet_s: float = QUIET_S
) -> Forgotten:
    """Clear the retained topics and the discovery messages of ``devices`` below ``root``.

    ``None`` clears those of all devices, and of the daemon if it is offline. Devices whose link has not ended are left
    alone while a daemon is online. Raises :class:`MqttError` if the broker cannot be reached or refuses.
    """
    retained: dict[str, bytes] = {}
    quiet = QuietPeriod(quiet_s)

    def keep(message: IncomingMessage, _read_ns: int) -> None:
        quiet.restart()
        if message.retain:
            retained[message.topic] = message.payload

    async with Connector(AiomqttConnection, address, root=root).connect(keep) as connection:
        filters = [*(channel.filter for channel in _DEVICE_CHANNELS), STATUS_TOPIC, _DISCOVERY_FILTER]
        await subscribe_to_all(connection, [(name, 0) for name in filters])
        await quiet.wait()
        found = _Found(retained, root)
        chosen = found.devices if devices is None else found.devices & set(devices)
        in_use = {device for device in chosen if found.online and found.has_link(device)}
        topics = [topic for topic in retained if found.device_of(topic) in chosen - in_use]
        if devices is None and not found.online and STATUS_TOPIC in retained:
            topics.append(STATUS_TOPIC)
        try:
            for topic in topics:
                await connection.deliver(clearing_message(topic))
        except ValueError as error:  # refused
            raise MqttError(str(error)) from error
    return Forgotten(tuple(sorted(chosen - in_use)), tuple(sorted(in_use)), found.online)


def clearing_message(topic: str) -> OutgoingMessage:
    """Return the message that has a broker delete what it retains of ``topic``."""
    return OutgoingMessage(topic, b"", 1, retain=True, delivery=DeliveryPolicy.EVERY)


def topics_of(device: DeviceName, root: TopicRoot) -> tuple[str, ...]:
    """Return all topics of ``device`` that a broker retains."""
    return (*(channel.topic(device) for channel in _DEVICE_CHANNELS), discovery_topic(device, root))


class _Found:
    """The retained messages of a broker."""

    def __init__(self, retained: dict[str, bytes], root: TopicRoot) -> None:
        self._retained = retained
        self._root = root
        self.online = _state(retained.get(STATUS_TOPIC, b"")) == "online"
        self.devices = {device for device in map(self.device_of, retained) if device is not None}

    def has_link(self, device: DeviceName) -> bool:
        """Return whether the link to ``device`` has not ended."""
        return _state(self._retained.get(LINK.topic(device), b"")) not in ("", "ended")

    def device_of(self, topic: str) -> DeviceName | None:
        """Return the device that ``topic`` is about; ``None`` for another topic, also of discovery."""
        for channel in _DEVICE_CHANNELS:
            if (device := channel.device_of(topic)) is not None:
                return device
        before, _, after = DISCOVERY.address.partition("{id}")
        if not (topic.startswith(before) and topic.endswith(after)):
            return None
        name = topic[len(before) : len(topic) - len(after)]
        start = object_id(DeviceName(""), self._root)
        try:
            return parse_device_name(name[len(start) :]) if name.startswith(start) else None
        except InputError:
            return None


def _state(payload: bytes) -> str:
    state = (decode(payload) or {}).get("state")
    return state if isinstance(state, str) else ""
