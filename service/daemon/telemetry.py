"""Telemetry: counts each device's figures as a sink of the pipeline, and publishes them once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from service.base.events import Event, Telemetry, WheelsSwitched
from service.base.sink import Sink
from service.base.source import LinkCounters, LinkReport, LinkState
from service.base.states import ModelInUse, ScoredBlocks, ScoredSingles, Stamps
from service.base.wall_clock import HOST_CLOCK
from service.daemon.serving_model import ServingModel
from service.daemon.sinks import MqttSink
from service.mqtt.broker_link import BrokerLink
from service.ops.health import Health
from service.ops.metrics import Metrics
from service.ops.systemd import Notifier
from stinger.device_name import DeviceName
from stinger.units import NS_PER_MS

PERIOD_S: Final = 1.0
_MESSAGES_A_TURN: Final = 20
"""After so many messages other tasks get a turn: publishing for a thousand devices takes longer than a sample may wait."""


class TelemetrySink(Sink):
    """Counts the figures of each device between two calls of :meth:`take`."""

    def __init__(self) -> None:
        self._devices: dict[DeviceName, _Figures] = {}

    def take(self, host_s: float) -> list[Telemetry]:
        """Return each device's figures since the last call, and restart the counts; call it once a second."""
        return [figures.take(device, host_s) for device, figures in self._devices.items()]

    def on_device(self, device: DeviceName) -> None:
        """See :class:`service.base.sink.Sink`."""
        self._devices[device] = _Figures()

    def on_forget(self, device: DeviceName) -> None:
        """See :class:`service.base.sink.Sink`."""
        del self._devices[device]

    def on_release(self, device: DeviceName) -> None:
        """See :class:`service.base.sink.Sink`."""
        del self._devices[device]

    def on_model(self, model: ModelInUse) -> None:
        """See :class:`service.base.sink.Sink`."""
        self._devices[model.device].model = model.model

    def on_event(self, event: Event, stamps: Stamps | None) -> None:
        """See :class:`service.base.sink.Sink`."""
        del stamps
        if isinstance(event, WheelsSwitched):
            self._devices[event.device].wheels_on = event.on

    def on_scored(self, scored: ScoredBlocks) -> None:
        """See :class:`service.base.sink.Sink`."""
        newest: list[float] = scored.probability[scored.starts[1:] - 1].tolist()
        for block, probability, scored_ns in zip(scored.blocks, newest, scored.scored_ns, strict=True):
            figures = self._devices[block.device]
            figures.link = LinkState.STREAMING
            figures.samples += block.samples.shape[0]
            figures.latencies_ms.append((scored_ns - block.read_ns) / NS_PER_MS)
            figures.probability = probability

    def on_singles(self, singles: ScoredSingles) -> None:
        """See :class:`service.base.sink.Sink`."""
        figures = self._devices[singles.block.device]
        figures.link = LinkState.STREAMING
        figures.samples += len(singles.passed_ns)
        figures.latencies_ms += [(decided_ns - read_ns) / NS_PER_MS for read_ns, _, decided_ns in singles.passed_ns]
        figures.probability = float(singles.probability[-1])

    def on_link(self, report: LinkReport) -> None:
        """See :class:`service.base.sink.Sink`."""
        figures = self._devices[report.device]
        figures.link, figures.counters = report.state, report.counters
        if report.state is not LinkState.STREAMING:
            figures.probability = None

    def on_gap(self, device: DeviceName) -> None:
        """See :class:`service.base.sink.Sink`."""
        self._devices[device].gaps += 1


class TelemetryReporter:
    """Publishes the figures of ``counted`` and updates health, metrics and the status for systemd.

    ``settle`` is called before each report, so that ``counted`` has all samples.
    """

    def __init__(
        self,
        counted: TelemetrySink,
        model: ServingModel,
        mqtt_sink: MqttSink,
        link: BrokerLink,
        *,
        health: Health,
        metrics: Metrics,
        notifier: Notifier,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self._counted = counted
        self._settle = settle
        self._model = model
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
            due_s = max(due_s + PERIOD_S, loop.time())  # a suspended process skips the reports that it missed
            await asyncio.sleep(due_s - loop.time())
            await self.report()

    async def report(self) -> None:
        """Publish the figures since the last report."""
        self._health.heartbeat()
        self._settle()
        figures = self._counted.take(HOST_CLOCK.now_s())
        for first in range(0, len(figures), _MESSAGES_A_TURN):
            self._mqtt_sink.publish_telemetry(figures[first : first + _MESSAGES_A_TURN])
            await asyncio.sleep(0)
        connected = self._link.connected
        status = self._health.status_line(
            streaming=sum(one.link == LinkState.STREAMING.value for one in figures),
            devices=len(figures),
            model=self._model.serving.version,
            connected=connected,
        )
        self._notifier.status(status)
        self._metrics.broker_connected = connected
        self._metrics.broker_connects = self._link.reconnects + 1


@dataclass(slots=True, eq=False)
class _Figures:
    model: str = ""
    link: LinkState = LinkState.CONNECTING
    counters: LinkCounters = field(default_factory=LinkCounters)
    wheels_on: bool = False
    probability: float | None = None
    """The newest score; NaN if the last sample had none."""
    gaps: int = 0
    samples: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    """From reading to decision, of each block."""

    def take(self, device: DeviceName, host_s: float) -> Telemetry:
        latencies, self.latencies_ms = self.latencies_ms, []
        latencies.sort()
        samples, self.samples = self.samples, 0
        probability = self.probability
        return Telemetry(
            device=device,
            host_s=host_s,
            probability=None if probability is None or probability != probability else probability,  # noqa: PLR0124 - NaN
            wheels_on=self.wheels_on,
            rate_hz=float(samples),
            gaps=self.gaps,
            lost=self.counters.lost,
            corrupted=self.counters.corrupted,
            latency_p50_ms=_quantile(latencies, 0.50),
            latency_p99_ms=_quantile(latencies, 0.99),
            link=self.link.value,
            model=self.model,
            unscored=self.counters.unscored,
        )


def _quantile(ascending: list[float], part: float) -> float | None:
    """Return the value below which ``part`` of ``ascending`` lies; ``None`` if empty.

    NumPy would take 30 us a device for two quantiles.
    """
    return ascending[min(len(ascending) - 1, int(part * len(ascending)))] if ascending else None
