"""How long tests wait for what is to happen, and clients of brokers that wait as long."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import aiomqtt

PATIENCE_S: Final = 300.0
"""Seconds until a wait fails, which only a test that would fail anyway takes.

Where 45 processes wanted two cores, starting a program that imports much took more than 120 s at a low priority.
"""


class PatientClient(aiomqtt.Client):
    """A client that waits for the broker's answers for :data:`PATIENCE_S`; aiomqtt's own limit is 10 s."""

    async def publish(self, *arguments: Any, **settings: Any) -> None:
        """Publish a message. Raises ``MqttError`` at once when the connection is lost, for which aiomqtt would wait."""
        publishing = asyncio.create_task(super().publish(*arguments, **settings))
        try:
            await asyncio.wait({publishing, self._disconnected}, return_when=asyncio.FIRST_COMPLETED)
            if not publishing.done():
                raise aiomqtt.MqttError("the connection was lost")
            await publishing
        finally:
            publishing.cancel()


def mqtt_client(port: int, **settings: Any) -> PatientClient:
    """Return a client of the broker on ``port`` of this machine; ``settings`` are aiomqtt's."""
    return PatientClient("127.0.0.1", port, **{"timeout": PATIENCE_S} | settings)
