"""The pipeline: its devices and their links, the model and the thresholds, and the blocks to be scored. No asyncio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from models.choice import ChosenModel
from models.scorer import Scorer
from models.threshold import Threshold
from service.base.logs import get_logger
from service.base.sink import Sink
from service.base.source import Block, LinkCounters, LinkReport, LinkState
from service.base.states import ModelInUse
from service.base.wall_clock import HOST_CLOCK
from service.daemon.decisions import Decisions
from service.daemon.event_detector import EventDetector
from service.daemon.pipeline_device import PipelineDevice
from service.daemon.scoring import Scoring
from service.daemon.single_samples import SingleSamples
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
        self._devices: dict[DeviceName, PipelineDevice] = {}
        self._scoring = Scoring(self._devices, self._scorer, self._sinks)
        self.singles = SingleSamples(self._devices, self._scorer, self._scoring, self._sinks)
        """Takes samples that arrive one by one, instead of :meth:`score`."""

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
        return self._scoring.any_wheels_on

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
            self._scoring.pass_unscored([block for block in blocks if block.rate_problem is not None])
            scored = [block for block in blocks if block.rate_problem is None]
            self._scoring.score([block for block in scored if block.warm_up], ())
            blocks = [block for block in scored if not block.warm_up]
        self._scoring.score(blocks, self._sinks.scores)

    def ends_stream(self, report: LinkReport) -> bool:
        """Return whether ``report`` will restart the device's window, so that its queued blocks must be scored first."""
        device = self._devices.get(report.device)
        known = LinkState.CONNECTING if device is None else device.link
        return report.state is not LinkState.STREAMING and report.state is not known

    def link(self, report: LinkReport) -> None:
        """Record the state of a link. One that no longer streams ends the spin-up and restarts the window."""
        device = self._device(report.device)
        self.singles.settle(report.device)
        if self.ends_stream(report):
            self._scoring.restart(device)
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
        self.singles.settle(name)
        self._scoring.restart(device)
        self._scoring.forget(name)
        del self._devices[name]
        self._decisions.reset_threshold(name)
        for sink in self._sinks.all:
            sink.on_forget(name)

    def release(self, name: DeviceName) -> None:
        """Forget a device that another daemon serves from now on, but not its threshold. Ignore an unknown one."""
        if name not in self._devices:
            return
        self.singles.settle(name)
        self._scoring.forget(name)
        del self._devices[name]
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
        self._scoring.tick(now_ns, self.singles.settle_old(now_ns))

    def use_model(self, serving: ChosenModel) -> None:
        """Score with another model from the next block on, at the configured threshold or else the model's own.

        A threshold that was set for all devices is dropped, as it was meant for the old model; one that was set for a
        single device is kept. Windows are kept as well, so that every sample is scored.
        """
        self.singles.settle_all()
        self._serving = serving
        self._scorer.model = serving.model
        self._decisions.use_model(serving)
        self._update_devices(self._devices)

    def configure_threshold(self, threshold: Threshold | None) -> None:
        """Use ``threshold`` for all devices and every model from now on; ``None``: each model's own.

        Replaces every threshold that was set by :meth:`set_threshold`.
        """
        self.singles.settle_all()
        self._decisions.configure(threshold)
        self._update_devices(self._devices)

    def set_threshold(self, device: DeviceName | None, threshold: Threshold) -> None:
        """Change the threshold of one device, which need not be known yet, or of all."""
        self.singles.settle_all()
        self._decisions.set_threshold(device, threshold)
        self._update_devices(self._devices if device is None else self._devices.keys() & {device})

    def reset_threshold(self, device: DeviceName) -> None:
        """Use the threshold of all devices for ``device`` again."""
        self.singles.settle_all()
        if self._decisions.reset_threshold(device):
            self._update_devices(self._devices.keys() & {device})

    def _accept(self, block: Block) -> None:
        device = self._devices.get(block.device) or self._device(block.device)
        device.link = LinkState.STREAMING
        self.singles.settle(block.device)
        self._scoring.accept(block)

    def _device(self, name: DeviceName) -> PipelineDevice:
        device = self._devices.get(name)
        if device is None:
            detector = EventDetector(name, self.model, self._decisions.of(name), min_shot_gap_ms=self.min_shot_gap_ms)
            device = self._devices[name] = PipelineDevice(detector)
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
