"""Sinks that publish over MQTT and that count for metrics. The recorder's sink is ``service.recording``'s own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from service.base.events import Event, Shot, Telemetry, WheelsSwitched
from service.base.sink import Sink
from service.base.source import Block, LinkCounters, LinkReport, LinkState
from service.base.states import ModelInUse, ScoreBlock, ScoredBlocks, ScoredSingles, Stamps
from service.base.wall_clock import HOST_CLOCK
from service.config.topic_root import TopicRoot
from service.daemon.score_batches import ScoreBatches
from service.mqtt.discovery import discovery_message
from service.mqtt.forgetting import clearing_message, topics_of
from service.mqtt.messages import event_message, link_message, model_message, scores_message, telemetry_message
from service.mqtt.publisher import Publisher
from service.ops.device_metrics import DeviceMetrics
from service.ops.metrics import Metrics
from stinger.device_name import DeviceName
from stinger.sample import SAMPLE_RATE_HZ
from stinger.units import NS_PER_MS

_PERIOD_MS = 1000 // SAMPLE_RATE_HZ
_problems = attrgetter(*(field.name for field in fields(LinkCounters) if field.name != "samples"))
"""Returns all counters of a link except that of the samples, which always changes."""


class MetricsSink(Sink):
    """Counts samples, scores, events and latencies."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._devices: dict[DeviceName, DeviceMetrics] = {}

    def on_device(self, device: DeviceName) -> None:
        """See :class:`service.base.sink.Sink`."""
        self._devices[device] = self._metrics.device(device)

    def on_forget(self, device: DeviceName) -> None:
        """See :class:`service.base.sink.Sink`."""
        del self._devices[device]
        self._metrics.forget(device)

    def on_release(self, device: DeviceName) -> None:
        """See :class:`service.base.sink.Sink`."""
        self.on_forget(device)

    def on_model(self, model: ModelInUse) -> None:
        """See :class:`service.base.sink.Sink`."""
        self._metrics.set_model(model.device, model.model)

    def on_blocks(self, blocks: Sequence[Block]) -> None:
        """See :class:`service.base.sink.Sink`."""
        devices, observe, now_ns = self._devices, self._metrics.read.observe, time.monotonic_ns()
        for block in blocks:
            count = block.samples.shape[0]
            devices[block.device].samples += count
            observe(now_ns - block.read_ns, count)

    def on_model_run(self, samples: int, duration_ns: int) -> None:
        """See :class:`service.base.sink.Sink`."""
        del samples
        self._metrics.score.observe(duration_ns)

    def on_event(self, event: Event, stamps: Stamps | None) -> None:
        """See :class:`service.base.sink.Sink`."""
        del stamps
        self._devices[event.device].count(event)
        if isinstance(event, Shot) and event.accepted and event.lead_ms is not None:
            self._metrics.lead.observe(round(event.lead_ms * NS_PER_MS))

    def on_scored(self, scored: ScoredBlocks) -> None:
        """See :class:`service.base.sink.Sink`."""
        devices, observe = self._devices, self._metrics.decision.observe
        counts = np.add.reduceat(~np.isnan(scored.probability), scored.starts[:-1], dtype=np.intp).tolist()
        for block, count, scored_ns in zip(scored.blocks, counts, scored.scored_ns, strict=True):
            devices[block.device].scores += count
            observe(scored_ns - block.read_ns, block.samples.shape[0])

    def on_singles(self, singles: ScoredSingles) -> None:
        """See :class:`service.base.sink.Sink`."""
        metrics, count = self._metrics, len(singles.passed_ns)
        device = self._devices[singles.block.device]
        device.samples += count
        device.scores += count - int(np.count_nonzero(np.isnan(singles.probability)))
        for read_ns, started_ns, decided_ns in singles.passed_ns:
            metrics.read.observe(started_ns - read_ns)
            metrics.score.observe(decided_ns - started_ns)
            metrics.decision.observe(decided_ns - read_ns)

    def on_link(self, report: LinkReport) -> None:
        """See :class:`service.base.sink.Sink`."""
        self._metrics.set_link(report)

    def on_gap(self, device: DeviceName) -> None:
        """See :class:`service.base.sink.Sink`."""
        self._devices[device].gaps += 1


class MqttSink(Sink):
    """Publishes events and states and, if ``publish_scores``, every score, in messages of 100 ms or more.

    With ``stamps``, each block of scores is a message of its own: ``stamps`` adds to scores and events when their
    samples were read and scored; ``home_assistant`` announces each device to Home Assistant. ``version`` is the
    daemon's, ``root`` where topics below ``stinger`` are at the broker.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        version: str,
        publish_scores: bool,
        home_assistant: bool,
        stamps: bool = False,
        root: TopicRoot | None = None,
    ) -> None:
        self.publish_scores = publish_scores
        self._publisher = publisher
        self._version = version
        self._home_assistant = home_assistant
        self._add_stamps = stamps
        self._root = TopicRoot() if root is None else root
        self._scores = ScoreBatches()
        self._links: dict[DeviceName, tuple[LinkState, str, tuple[int, ...]]] = {}  # as last published
        self._switched: set[DeviceName] = set()  # whose wheels were switched since the daemon started

    def on_device(self, device: DeviceName) -> None:
        """See :class:`service.base.sink.Sink`."""
        if self._home_assistant:
            self._publisher.put(discovery_message(device, self._version, self._root))

    def on_forget(self, device: DeviceName) -> None:
        """Clear what the broker retains about the device."""
        self._scores.forget(device)
        self._links.pop(device, None)
        self._switched.discard(device)
        for topic in topics_of(device, self._root):
            self._publisher.put(clearing_message(topic))

    def on_release(self, device: DeviceName) -> None:
        """Forget the device; what the broker retains about it stays."""
        self._scores.forget(device)
        self._links.pop(device, None)
        self._switched.discard(device)
        self._publisher.withdraw(topics_of(device, self._root))

    def on_model(self, model: ModelInUse) -> None:
        """See :class:`service.base.sink.Sink`."""
        self._publisher.put(model_message(model))

    def on_event(self, event: Event, stamps: Stamps | None) -> None:
        """See :class:`service.base.sink.Sink`."""
        if isinstance(event, WheelsSwitched):
            self._switched.add(event.device)
        # Wheels may also go off for lack of samples, so no message about wheels going off has stamps.
        stamped = isinstance(event, Shot) or (isinstance(event, WheelsSwitched) and event.on)
        self._publisher.put(event_message(event, stamps if self._add_stamps and stamped else None))

    def on_scored(self, scored: ScoredBlocks) -> None:
        """See :class:`service.base.sink.Sink`."""
        if self.publish_scores:
            super().on_scored(scored)

    def on_scores(self, block: Block, probability: npt.NDArray[np.float32], stamps: Stamps) -> None:
        """See :class:`service.base.sink.Sink`."""
        if self.publish_scores:
            first_ms = int(block.samples["timestamp_ms"][0])
            if self._add_stamps:
                scored = ScoreBlock(block.device, first_ms, _PERIOD_MS, probability)
                self._publisher.put(scores_message(scored, stamps))
            else:
                self._put_scores(self._scores.add(block.device, first_ms, probability))

    def takes_singles(self) -> bool:
        """Return whether no scores are published: those are not to wait."""
        return not self.publish_scores

    def on_link(self, report: LinkReport) -> None:
        """Publish a link report unless it repeats the last one; sources send one every second.

        Scores of the device that wait are published first, so they wait for a second at most.
        """
        self._put_scores(self._scores.take(report.device))
        shown = (report.state, report.reason, _problems(report.counters))
        if self._links.get(report.device) != shown:
            self._links[report.device] = shown
            self._publisher.put(link_message(report, HOST_CLOCK.now_s()))

    def _put_scores(self, blocks: Sequence[ScoreBlock]) -> None:
        for block in blocks:
            self._publisher.put(scores_message(block))

    def publish_lost(self, events: Sequence[Event], model: str | None) -> None:
        """Publish events that were lost when the daemon was killed, and found again in a recording made with ``model``.

        Spin-ups are only published if they were found with the same model, and before the wheels of the device were
        switched again: they are retained, and must not replace a newer state.
        """
        for event in events:
            if isinstance(event, Shot) or (event.model == model and event.device not in self._switched):
                self._publisher.put(event_message(event))

    def publish_telemetry(self, figures: Sequence[Telemetry]) -> None:
        """Publish the figures of some devices for the last second."""
        with self._publisher.together():
            for telemetry in figures:
                self._publisher.put(telemetry_message(telemetry))
