"""What becomes of what the flow tells: it is kept, counted, and published."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from service.base.events import Event, Shot, WheelsSwitched
from service.base.logs import event_text
from service.base.source import Block, LinkCounters, LinkReport, LinkState
from service.base.states import ModelInUse, ScoreBlock, Stamps
from service.daemon.flow import Sink
from service.mqtt.discovery import discovery_message
from service.mqtt.messages import event_message, link_message, model_message, scores_message
from service.mqtt.publisher import Publisher
from service.ops.metrics import DeviceMetrics, Metrics
from service.recording.pacing import PacedRecorder
from stinger.device_name import DeviceName
from stinger.errors import InputError
from stinger.sample import SAMPLE_RATE_HZ

_LOG = logging.getLogger(__name__)
_PERIOD_MS = 1000 // SAMPLE_RATE_HZ


class RecorderSink(Sink):
    """Keeps every sample."""

    def __init__(self, recorder: PacedRecorder) -> None:
        self._recorder = recorder

    def samples(self, block: Block) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        self._recorder.append(block)


class MetricsSink(Sink):
    """Counts everything."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._devices: dict[str, DeviceMetrics] = {}

    def samples(self, block: Block) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        count = block.samples.shape[0]
        self._device(block.device).samples += count
        self._metrics.read.observe(time.monotonic_ns() - block.read_ns, count)

    def scores(self, block: Block, probability: npt.NDArray[np.float32]) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        count = block.samples.shape[0]
        if count == 1:
            scored = int(probability[0] == probability[0])  # not NaN, without NumPy's price for a single number
        else:
            scored = count - int(np.count_nonzero(np.isnan(probability)))
        self._device(block.device).scores += scored
        self._metrics.decision.observe(time.monotonic_ns() - block.read_ns, count)

    def model_run(self, samples: int, duration_ns: int) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        del samples
        self._metrics.score.observe(duration_ns)

    def event(self, event: Event) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        self._device(event.device).count(event)
        if isinstance(event, Shot) and event.accepted and event.lead_ms is not None:
            self._metrics.lead.observe(round(event.lead_ms * 1e6))

    def link(self, report: LinkReport) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        self._metrics.set_link(report)

    def gap(self, device: DeviceName) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        self._device(device).gaps += 1

    def _device(self, name: str) -> DeviceMetrics:
        device = self._devices.get(name)
        if device is None:
            device = self._devices[name] = self._metrics.device(name)
        return device


class MqttSink(Sink):
    """Publishes events and states, and, if ``publish_scores``, every score; with ``stamps`` says when it was made.

    ``in_use`` says which model scores a device and from which threshold on its wheels spin; it is told with the first
    news of a device, and again by :meth:`tell_models`.
    """

    def __init__(
        self,
        publisher: Publisher,
        in_use: Callable[[DeviceName], tuple[str, float]],
        *,
        version: str,
        publish_scores: bool,
        home_assistant: bool,
        stamps: bool = False,
    ) -> None:
        self.publish_scores = publish_scores
        self._publisher = publisher
        self._in_use = in_use
        self._version = version
        self._home_assistant = home_assistant
        self._devices: dict[DeviceName, bool] = {}  # whether their names can stand in a topic
        self._links: dict[DeviceName, tuple[LinkState, str, LinkCounters]] = {}  # as they were told last
        self._stamping = stamps
        self._stamps: Stamps | None = None  # of the newest block; what its samples make happen is told right after it

    def samples(self, block: Block) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        self._can_tell_of(block.device)

    def scores(self, block: Block, probability: npt.NDArray[np.float32]) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        if self._stamping:
            self._stamps = Stamps(block.read_ns, time.monotonic_ns())
        if self.publish_scores and self._can_tell_of(block.device):
            first_ms = int(block.samples["timestamp_ms"][0])
            scored = ScoreBlock(block.device, first_ms, _PERIOD_MS, probability)
            # What these scores make happen is told first.
            asyncio.get_running_loop().call_soon(self._publish_scores, scored, self._stamps)

    def event(self, event: Event) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        if self._can_tell_of(event.device):
            # Wheels also go off because no sample comes: that has no stamps.
            by_sample = isinstance(event, Shot) or (isinstance(event, WheelsSwitched) and event.on)
            self._publisher.put(event_message(event, self._stamps if by_sample else None))

    def link(self, report: LinkReport) -> None:
        """See :class:`service.daemon.flow.Sink`. Sources repeat themselves every second; only what is new is published."""
        news = (report.state, report.reason, replace(report.counters, samples=0))
        if self._links.get(report.device) != news and self._can_tell_of(report.device):
            self._links[report.device] = news
            self._publisher.put(link_message(report, time.time()))

    def _publish_scores(self, scored: ScoreBlock, stamps: Stamps | None) -> None:
        self._publisher.put(scores_message(scored, stamps))

    def tell_models(self) -> None:
        """Say of every device which model scores it, as that has changed."""
        for device, can_be_told in self._devices.items():
            if can_be_told:
                self._tell_model(device)

    def _can_tell_of(self, device: DeviceName) -> bool:
        known = self._devices.get(device)
        if known is None:
            try:
                self._tell_model(device)
                if self._home_assistant:
                    self._publisher.put(discovery_message(device, self._version))
                known = True
            except InputError as error:
                _LOG.warning(event_text("device_not_published", device=device, reason=error))
                known = False
            self._devices[device] = known
        return known

    def _tell_model(self, device: DeviceName) -> None:
        model, threshold = self._in_use(device)
        self._publisher.put(model_message(ModelInUse(device, time.time(), model, threshold)))
