"""All topics of the daemon: address, schema, QoS, retained or not, delivery policy.

Tests hold documents and schemas to this table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from importlib import resources
from typing import Any, Literal, NamedTuple

from service.config.topic_root import DEFAULT_ROOT
from stinger.device_name import DAEMON, DeviceName, parse_device_name
from stinger.errors import InputError

ROOT = DEFAULT_ROOT
"""Connections replace it by the configured root."""

STATUS_TOPIC = f"{ROOT}/{DAEMON}/status"
HOME_ASSISTANT_STATUS = "homeassistant/status"


class DeliveryPolicy(Enum):
    """What happens to a message that cannot be sent at once."""

    EVERY = "every"
    """It waits in the outbox on disk, in order, until the broker has acknowledged it."""
    LATEST = "latest"
    """It waits in memory until a newer one of its topic replaces it. A retained one is published again after each
    connect.
    """
    LIVE = "live"
    """It is of no use later: dropped while there is no connection."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic and how messages on it are sent."""

    address: str
    """The topic, with ``{device}`` in place of a device's name or the daemon's."""
    schema: str
    """Name of the JSON Schema of its payload. ``samples`` has none: its payload is bytes."""
    qos: Literal[0, 1]
    retain: bool
    delivery: DeliveryPolicy = DeliveryPolicy.LIVE

    def topic(self, device: DeviceName | None = None) -> str:
        """Return the topic of ``device``, or the daemon's own for None."""
        return self.address.replace("{device}", DAEMON if device is None else device)

    @property
    def filter(self) -> str:
        """The topic filter for all devices."""
        return self.address.replace("{device}", "+")

    def device_of(self, topic: str) -> DeviceName | None:
        """Return the device whose topic of this channel is ``topic``; ``None`` if it is none's."""
        before, _, after = self.address.partition("{device}")
        if not (topic.startswith(before) and topic.endswith(after)):
            return None
        try:
            return parse_device_name(topic[len(before) : len(topic) - len(after)])
        except InputError:
            return None


SHOT = Channel("stinger/{device}/shot", "shot", 1, retain=False, delivery=DeliveryPolicy.EVERY)
SPINUP = Channel("stinger/{device}/spinup", "spinup", 1, retain=True, delivery=DeliveryPolicy.EVERY)
FALSE_SPINUP = Channel("stinger/{device}/false_spinup", "false_spinup", 1, retain=False, delivery=DeliveryPolicy.EVERY)
TELEMETRY = Channel("stinger/{device}/telemetry", "telemetry", 0, retain=False, delivery=DeliveryPolicy.LATEST)
LINK = Channel("stinger/{device}/link", "link", 1, retain=True, delivery=DeliveryPolicy.LATEST)
MODEL = Channel("stinger/{device}/model", "model", 1, retain=True, delivery=DeliveryPolicy.LATEST)
SCORES = Channel("stinger/{device}/scores", "scores", 0, retain=False, delivery=DeliveryPolicy.LIVE)
STATUS = Channel(STATUS_TOPIC, "status", 1, retain=True, delivery=DeliveryPolicy.LATEST)
DISCOVERY = Channel("homeassistant/device/{id}/config", "discovery", 1, retain=True, delivery=DeliveryPolicy.LATEST)

PUBLISHED = (SHOT, SPINUP, FALSE_SPINUP, TELEMETRY, LINK, MODEL, SCORES, STATUS, DISCOVERY)

COMMANDS = ("set_threshold", "choose_model", "start_recording", "stop_recording", "note", "forget")


class CommandChannels(NamedTuple):
    """The channels of a command, and those of its answer if it names no response topic of its own."""

    of_device: Channel
    of_all: Channel
    response_of_device: Channel
    response_of_all: Channel


def command_channels(name: str) -> CommandChannels:
    """Return the channels of the command ``name``."""
    one, every = f"{ROOT}/{{device}}/command/{name}", f"{ROOT}/{DAEMON}/command/{name}"
    schema = f"command_{name}"
    return CommandChannels(
        of_device=Channel(one, schema, 1, retain=False),
        of_all=Channel(every, schema, 1, retain=False),
        response_of_device=Channel(f"{one}/response", "response", 1, retain=False),
        response_of_all=Channel(f"{every}/response", "response", 1, retain=False),
    )


SAMPLES = Channel("stinger/{device}/samples", "samples", 0, retain=False)
COMMAND_FILTER = f"{ROOT}/+/command/+"
RESPONSES = f"{ROOT}/{DAEMON}/response/"
"""Commands of MQTT 5 may name response topics below it."""


def is_command(topic: str) -> bool:
    """Return whether ``topic`` matches :data:`COMMAND_FILTER`."""
    match topic.split("/"):
        case [root, _, "command", _]:
            return root == ROOT
        case _:
            return False


@lru_cache
def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) called ``name``. Raises :class:`FileNotFoundError` if there is none."""
    text = (resources.files("service.mqtt") / "schemas" / f"{name}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
