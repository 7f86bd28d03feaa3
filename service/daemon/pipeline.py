"""The pipeline: scores blocks of samples, detects events in them, and passes both to every sink. No asyncio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.choice import ChosenModel
from models.scorer import Scorer, Scores, join_blocks
from models.threshold import Threshold
from service.base.events import Event
from service.base.logs import get_logger
from service.base.sink import Sink
from service.base.source import Block, LinkCounters, LinkReport, LinkState
from service.base.states import ModelInUse, ScoredBlocks, Stamps
from service.base.wall_clock import HOST_CLOCK
from service.daemon.decisions import Decisions
from service.daemon.event_detector import EventDetector
from service.daemon.quiet_blocks import pass_quiet_blocks
from service.daemon.subscribed_sinks import SubscribedSinks
from stinger.device_name import DeviceName

_LOG = get_logger(__name__)


class Pipeline:
    """Scores blocks, decides on the wheels, and passes everything to the subscribed sinks.

    ``threshold`` replaces the one that comes with each model; ``None`` keeps the model's. ``monotonic_ns`` and
    ``unix_s`` return the time. An exception of the model or of a sink reaches the caller.
    """

    def __init__(
        self,
        serving: ChosenModel,
        *,
        min_shot_gap_ms: float,
        threshold: Threshold | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        unix_s: Callable[[], float] = HOST_CLOCK.now_s,
    ) -> None:
        self._serving = serving
        self._decisions = Decisions(serving, threshold)
        self._scorer = Scorer(serving.model)
        self.min_shot_gap_ms = min_shot_gap_ms
        self._monotonic_ns = monotonic_ns
        self._unix_s = unix_s
        self._sinks = SubscribedSinks()
        self._devices: dict[DeviceName, _Device] = {}
        self._warming_up: set[DeviceName] = set()  # those whose newest block was a warm-up
        self._spinning: dict[DeviceName, _Device] = {}  # those whose wheels were switched on; some may be off again

    @property
    def model(self) -> str:
        """Version of the model in use."""
        return self._serving.version

    @property
    def serving(self) -> ChosenModel:
        """The model in use."""
        return self._serving

    @property
    def devices(self) -> tuple[DeviceName, ...]:
        """Every known device: configured, or one that has delivered something."""
        return tuple(self._devices)

    @property
    def device_count(self) -> int:
        """Number of known devices."""
        return len(self._devices)

    @property
    def decisions(self) -> Decisions:
        """The decision of each device, for reading; this pipeline's methods change it."""
        return self._decisions

    @property
    def any_wheels_on(self) -> bool:
        """Whether any wheels may be on, so that :meth:`tick` must be called."""
        return bool(self._spinning)

    def subscribe(self, sink: Sink) -> None:
        """Pass everything to ``sink`` too, after the sinks subscribed before it.

        Call it before the first device is added.
        """
        assert not self._devices, "a sink subscribed now would miss a device"
        self._sinks.add(sink)

    def add_device(self, name: DeviceName) -> None:
        """Add a device before it delivers anything; do nothing if it is known already."""
        self._device(name)

    def score(self, blocks: Sequence[Block]) -> None:
        """Score ``blocks``, at most one of each device, in one run of the model.

        Raises ``ValueError`` for two of one device.

        Events are passed on before scores: people wait for events.
        """
        ordinary = True
        for block in blocks:
            self._accept(block)
            if block.warm_up or block.rate_problem is not None:
                ordinary = False
        received = blocks if ordinary else [block for block in blocks if not block.warm_up]
        for sink in self._sinks.samples:
            sink.on_blocks(received)
        if not ordinary:
            self._pass_unscored([block for block in blocks if block.rate_problem is not None])
            scored = [block for block in blocks if block.rate_problem is None]
            self._score([block for block in scored if block.warm_up], ())
            blocks = [block for block in scored if not block.warm_up]
        self._score(blocks, self._sinks.scores)

    def ends_stream(self, report: LinkReport) -> bool:
        """Return whether ``report`` will restart the device's window, so that its queued blocks must be scored first."""
        device = self._devices.get(report.device)
        known = LinkState.CONNECTING if device is None else device.link
        return report.state is not LinkState.STREAMING and report.state is not known

    def link(self, report: LinkReport) -> None:
        """Record the state of a link. One that no longer streams ends the spin-up and restarts the window."""
        device = self._device(report.device)
        if self.ends_stream(report):
            self._restart(device)
        device.link, device.counters = report.state, report.counters
        for sink in self._sinks.all:
            sink.on_link(report)

    def end_links(self, reason: str) -> None:
        """End all links for ``reason``, as the daemon stops; this switches off the wheels."""
        for name, device in self._devices.items():
            if device.link is not LinkState.ENDED and (
                device.counters is not None or device.link is LinkState.STREAMING
            ):
                self.link(LinkReport(name, LinkState.ENDED, reason, device.counters or LinkCounters()))

    def forget(self, name: DeviceName) -> None:
        """Forget a device with all that is known of it, its threshold included; end its spin-up.

        Ignore an unknown one.
        """
        device = self._devices.get(name)
        if device is None:
            return
        self._restart(device)
        self._spinning.pop(name, None)
        self._warming_up.discard(name)
        del self._devices[name]
        self._decisions.reset_threshold(name)
        for sink in self._sinks.all:
            sink.on_forget(name)

    def release(self, name: DeviceName) -> None:
        """Forget a device that another daemon serves from now on, but not its threshold. Ignore an unknown one."""
        if self._devices.pop(name, None) is None:
            return
        self._scorer.forget(name)
        self._spinning.pop(name, None)
        self._warming_up.discard(name)
        for sink in self._sinks.all:
            sink.on_release(name)

    def now_ns(self) -> int:
        """Return the time on the monotonic clock, in ns."""
        return self._monotonic_ns()

    def tick(self, now_ns: int | None = None) -> None:
        """Switch off the wheels of devices whose last score is too old at ``now_ns``, on the monotonic clock.

        ``None`` means now.
        """
        now_ns = self._monotonic_ns() if now_ns is None else now_ns
        for name, device in list(self._spinning.items()):
            self._emit(device.detector.tick(now_ns), None)
            if not device.detector.wheels_on:
                del self._spinning[name]

    def use_model(self, serving: ChosenModel) -> None:
        """Score with another model from the next block on, at the configured threshold or else the model's own.

        A threshold that was set for all devices is dropped, as it was meant for the old model; one that was set for a
        single device is kept. Windows are kept as well, so that every sample is scored.
        """
        self._serving = serving
        self._scorer.model = serving.model
        self._decisions.use_model(serving)
        self._update_devices(self._devices)

    def configure_threshold(self, threshold: Threshold | None) -> None:
        """Use ``threshold`` for all devices and every model from now on; ``None``: each model's own.

        Replaces every threshold that was set by :meth:`set_threshold`.
        """
        self._decisions.configure(threshold)
        self._update_devices(self._devices)

    def set_threshold(self, device: DeviceName | None, threshold: Threshold) -> None:
        """Change the threshold of one device, which need not be known yet, or of all."""
        self._decisions.set_threshold(device, threshold)
        self._update_devices(self._devices if device is None else self._devices.keys() & {device})

    def reset_threshold(self, device: DeviceName) -> None:
        """Use the threshold of all devices for ``device`` again."""
        if self._decisions.reset_threshold(device):
            self._update_devices(self._devices.keys() & {device})

    def _accept(self, block: Block) -> None:
        device = self._devices.get(block.device) or self._device(block.device)
        device.link = LinkState.STREAMING
        if block.warm_up:
            self._warming_up.add(block.device)
        elif self._warming_up:
            self._warming_up.discard(block.device)
        if block.boot != device.boot:
            device.boot = block.boot
            self._restart(device)

    def _score(self, blocks: Sequence[Block], sinks: Sequence[Sink]) -> None:
        """Score ``blocks``, pass on the events in them, and pass the scores to ``sinks``."""
        if not blocks:
            return
        started_ns = time.monotonic_ns()
        if len(blocks) == 1:
            joined = None
            scores = self._scorer.push(blocks[0].device, blocks[0].samples)
        else:
            joined = join_blocks([block.samples for block in blocks])
            scores = self._scorer.push_joined([block.device for block in blocks], joined)
        duration_ns = time.monotonic_ns() - started_ns
        for sink in self._sinks.model_runs:
            sink.on_model_run(scores.probability.size, duration_ns)
        if scores.resets.size:
            self._count_gaps(blocks, scores)
        if joined is None:
            scored_ns = [self._detect(blocks[0], scores.probability)]
        else:
            detectors = [self._devices[block.device].detector for block in blocks]
            quiet = pass_quiet_blocks(detectors, blocks, joined, scores.probability)
            scored_ns = [time.monotonic_ns()] * len(blocks)
            for i, block in enumerate(blocks):
                if not quiet[i]:
                    scored_ns[i] = self._detect(block, scores.block(i))
        scored = ScoredBlocks(blocks, scores.probability, scores.starts, scored_ns)
        for sink in sinks:
            sink.on_scored(scored)

    def _detect(self, block: Block, probability: npt.NDArray[np.float32]) -> int:
        """Pass on the events in a block; return when the wheels were decided on, in ns of the monotonic clock."""
        device = self._devices[block.device]
        events = device.detector.push(block, probability)
        decided_ns = time.monotonic_ns()
        if device.detector.wheels_on:
            self._spinning[block.device] = device
        if events:
            self._emit(events, Stamps(block.read_ns, decided_ns))
        return decided_ns

    def _pass_unscored(self, blocks: Sequence[Block]) -> None:
        """Find the shots in ``blocks``, whose rate no model takes: they have no scores, so their wheels are off."""
        for block in blocks:
            self._scorer.forget(block.device)
            probability = np.full(block.samples.shape[0], np.nan, dtype=np.float32)
            decided_ns = self._detect(block, probability)
            if block.warm_up:
                continue
            scored = ScoredBlocks([block], probability, np.array([0, probability.size]), [decided_ns])
            for sink in self._sinks.scores:
                sink.on_scored(scored)

    def _restart(self, device: _Device) -> None:
        self._emit(device.detector.restart(), None)
        self._scorer.forget(device.detector.device)

    def _count_gaps(self, blocks: Sequence[Block], scores: Scores) -> None:
        for i in np.searchsorted(scores.starts, scores.resets, side="right").tolist():
            name = blocks[i - 1].device
            if name in self._warming_up:
                continue
            for sink in self._sinks.all:
                sink.on_gap(name)

    def _emit(self, events: Iterable[Event], stamps: Stamps | None) -> None:
        for event in events:
            if event.device in self._warming_up:  # published before, by another daemon
                continue
            for sink in self._sinks.all:
                sink.on_event(event, stamps)

    def _device(self, name: DeviceName) -> _Device:
        device = self._devices.get(name)
        if device is None:
            detector = EventDetector(name, self.model, self._decisions.of(name), min_shot_gap_ms=self.min_shot_gap_ms)
            device = self._devices[name] = _Device(detector)
            _LOG.info("device_added", device=name)
            for sink in self._sinks.all:
                sink.on_device(name)
            self._emit_model(name)
        return device

    def _update_devices(self, names: Iterable[DeviceName]) -> None:
        """Apply the model and the thresholds to known devices, from their next samples on."""
        for name in names:
            detector = self._devices[name].detector
            detector.model = self.model
            detector.parameters = self._decisions.of(name)
            self._emit_model(name)

    def _emit_model(self, name: DeviceName) -> None:
        in_use = ModelInUse(name, self._unix_s(), self.model, self._decisions.of(name).on)
        for sink in self._sinks.all:
            sink.on_model(in_use)


@dataclass(slots=True, eq=False)
class _Device:
    detector: EventDetector
    boot: int = 0
    link: LinkState = LinkState.CONNECTING
    counters: LinkCounters | None = None
    """Those of the last link report; ``None`` before the first."""
