"""Once a second: telemetry of each device to the broker, the daemon's own state to systemd and the metrics."""

from __future__ import annotations

import asyncio
from typing import Final

from service.base.source import LinkState
from service.daemon.pipeline import Pipeline
from service.daemon.sinks import MqttSink
from service.mqtt.broker_link import BrokerLink
from service.ops.health import Health
from service.ops.metrics import Metrics
from service.ops.systemd import Notifier

PERIOD_S: Final = 1.0
_MESSAGES_A_TURN: Final = 20
"""After so many messages other tasks get a turn: publishing for a thousand devices takes longer than a sample may wait."""


class TelemetryReporter:
    """Takes the telemetry of the last second from ``pipeline`` and publishes it."""

    def __init__(
        self,
        pipeline: Pipeline,
        mqtt_sink: MqttSink,
        link: BrokerLink,
        *,
        health: Health,
        metrics: Metrics,
        notifier: Notifier,
    ) -> None:
        self._pipeline = pipeline
        self._mqtt_sink = mqtt_sink
        self._link = link
        self._health = health
        self._metrics = metrics
        self._notifier = notifier

    async def run(self) -> None:
        """Report every second until cancelled."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            due_s += PERIOD_S
            await asyncio.sleep(due_s - loop.time())
            await self.report()

    async def report(self) -> None:
        """Publish the figures since the last report, and update health, metrics and the status for systemd."""
        self._health.heartbeat()
        figures = self._pipeline.take_telemetry()
        for number, telemetry in enumerate(figures, start=1):
            self._mqtt_sink.publish_telemetry(telemetry)
            if number % _MESSAGES_A_TURN == 0:
                await asyncio.sleep(0)
        connected = self._link.connected
        status = self._health.status_line(
            streaming=sum(one.link == LinkState.STREAMING.value for one in figures),
            devices=len(figures),
            model=self._pipeline.model,
            connected=connected,
        )
        self._notifier.status(status)
        self._metrics.broker_connected = connected
        self._metrics.broker_connects = self._link.reconnects + 1
