"""Checks of the broker and of the daemon that publishes there."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Final

from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot
from service.doctor.finding import Finding, Verdict
from service.mqtt.aiomqtt_connection import AiomqttConnection
from service.mqtt.channels import STATUS_TOPIC
from service.mqtt.connection import IncomingMessage
from service.mqtt.connector import Connector
from service.mqtt.errors import MqttError
from service.mqtt.subscribing import subscribe_to_all
from stinger.wording import printable

ANSWER_S: Final = 10.0
STATUS_S: Final = 1.0
"""How long to wait for the daemon's status, which the broker retains: it comes with the subscription."""


async def check_broker(address: BrokerAddress, root: TopicRoot, *, status_s: float = STATUS_S) -> list[Finding]:
    """Return whether the broker at ``address`` accepts a connection, and the state of the daemon below ``root``."""
    status: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def take(message: IncomingMessage, _read_ns: int) -> None:
        if message.topic == STATUS_TOPIC and not status.done():
            status.set_result(message.payload)

    connector = Connector(AiomqttConnection, address, root=root)
    try:
        async with asyncio.timeout(ANSWER_S), connector.connect(take) as connection:
            await subscribe_to_all(connection, [(STATUS_TOPIC, 0)])
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(status), status_s)
    except (MqttError, TimeoutError) as error:
        remedy = "start the daemon ('stinger run' has a broker of its own), or name your broker with --broker"
        reason = printable(str(error)) or f"no answer within {ANSWER_S:g} s"
        return [Finding(Verdict.PROBLEM, "broker", f"{address}: {reason}", remedy)]
    found = Finding(Verdict.GOOD, "broker", f"{address} accepts us, MQTT {connector.version}")
    return [found, _check_status(status.result() if status.done() else None, root)]


def _check_status(payload: bytes | None, root: TopicRoot) -> Finding:
    """Return the state of the daemon by its status message; ``None`` is no message."""
    start = "start it: stinger run"
    if payload is None:
        return Finding(Verdict.NOTE, "daemon", f"none has published below '{root}' at this broker", start)
    try:
        status = json.loads(payload)
        state, version, alarm = status["state"], status.get("version"), status.get("alarm")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        remedy = f"find out who publishes at {root.outward(STATUS_TOPIC)}"
        return Finding(Verdict.PROBLEM, "daemon", "its status cannot be read", remedy)
    if state != "online":
        return Finding(
            Verdict.PROBLEM, "daemon", f"{printable(str(state))}: {printable(str(status.get('reason')))}", start
        )
    if alarm:
        remedy = "see the page 'Health' or docs/looking-after-it.md for what to do about each alarm"
        return Finding(
            Verdict.PROBLEM, "daemon", f"version {printable(str(version))}, alarm: {printable(str(alarm))}", remedy
        )
    return Finding(Verdict.GOOD, "daemon", f"version {printable(str(version))}, online")
