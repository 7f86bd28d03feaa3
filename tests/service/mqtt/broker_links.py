"""Links to brokers for tests, and what subscribers heard of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt

from service.config.broker_address import BrokerAddress
from service.mqtt.broker_link import BrokerLink
from service.mqtt.commands import Command, SetThreshold
from service.mqtt.outbox import Outbox
from stinger.errors import InputError
from tests.helpers.brokers import Heard, subscriber

STATUS = "stinger/daemon/status"
SHOT = "stinger/b1/shot"
ANSWERS = "stinger/daemon/response/desk"


def make_link(port: int, outbox: Outbox, **more: Any) -> BrokerLink:
    return BrokerLink(BrokerAddress("127.0.0.1", port), outbox, version="1", **more)


@asynccontextmanager
async def lasting_subscriber(port: int) -> AsyncIterator[Heard]:
    """A subscriber whose subscription and messages the broker keeps while it is away."""
    async with subscriber(port, SHOT, identifier="lasting") as heard:
        yield heard


def ids(messages: list[aiomqtt.Message]) -> list[str]:
    return [json.loads(message.payload)["id"] for message in messages]


def state(message: aiomqtt.Message) -> str:
    value: str = json.loads(message.payload)["state"]
    return value


async def execute(command: Command) -> Mapping[str, Any]:
    """Answer a command: with its threshold, or with an error that a user or the program made."""
    if isinstance(command, SetThreshold):
        if command.device == "nobody":
            raise InputError("no device 'nobody'")
        return {"threshold": command.threshold}
    raise RuntimeError("a fault of ours")
