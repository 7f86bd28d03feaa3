"""From samples to events: runs the model, decides on the wheels, and passes events and scores to the sinks."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from models.scorer import Scorer, Scores, join_blocks
from service.base.events import Event
from service.base.sink import Sink
from service.base.source import Block
from service.base.states import ScoredBlocks, Stamps
from service.daemon.pipeline_device import PipelineDevice
from service.daemon.quiet_blocks import pass_quiet_blocks
from service.daemon.subscribed_sinks import SubscribedSinks
from stinger.device_name import DeviceName


class Scoring:
    """Scores the blocks of known ``devices`` with ``scorer``, and passes what follows from them to ``sinks``."""

    def __init__(self, devices: Mapping[DeviceName, PipelineDevice], scorer: Scorer, sinks: SubscribedSinks) -> None:
        self._devices = devices
        self._scorer = scorer
        self._sinks = sinks
        self._warming_up: set[DeviceName] = set()  # those whose newest block was a warm-up
        self._spinning: dict[DeviceName, PipelineDevice] = {}  # those whose wheels were on; some may be off again

    @property
    def any_wheels_on(self) -> bool:
        """Whether any wheels may be on, so that :meth:`tick` must be called."""
        return bool(self._spinning)

    def accept(self, block: Block) -> None:
        """Take note that ``block`` is about to be scored; one from another boot restarts its device."""
        device = self._devices[block.device]
        if block.warm_up:
            self._warming_up.add(block.device)
        elif self._warming_up:
            self._warming_up.discard(block.device)
        if block.boot != device.boot:
            device.boot = block.boot
            self.restart(device)

    def score(self, blocks: Sequence[Block], sinks: Sequence[Sink]) -> None:
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
            scored_ns = [self.detect(blocks[0], scores.probability)]
        else:
            detectors = [self._devices[block.device].detector for block in blocks]
            quiet = pass_quiet_blocks(detectors, blocks, joined, scores.probability)
            scored_ns = [time.monotonic_ns()] * len(blocks)
            for i, block in enumerate(blocks):
                if not quiet[i]:
                    scored_ns[i] = self.detect(block, scores.block(i))
        scored = ScoredBlocks(blocks, scores.probability, scores.starts, scored_ns)
        for sink in sinks:
            sink.on_scored(scored)

    def detect(self, block: Block, probability: npt.NDArray[np.float32]) -> int:
        """Pass on the events in a block; return when the wheels were decided on, in ns of the monotonic clock."""
        device = self._devices[block.device]
        events = device.detector.push(block, probability)
        decided_ns = time.monotonic_ns()
        if device.detector.wheels_on:
            self._spinning[block.device] = device
        if events:
            self._emit(events, Stamps(block.read_ns, decided_ns))
        return decided_ns

    def pass_unscored(self, blocks: Sequence[Block]) -> None:
        """Find the shots in ``blocks``, whose rate no model takes: they have no scores, so their wheels are off."""
        for block in blocks:
            self._scorer.forget(block.device)
            probability = np.full(block.samples.shape[0], np.nan, dtype=np.float32)
            decided_ns = self.detect(block, probability)
            if block.warm_up:
                continue
            scored = ScoredBlocks([block], probability, np.array([0, probability.size]), [decided_ns])
            for sink in self._sinks.scores:
                sink.on_scored(scored)

    def tick(self, now_ns: int, fresh: Collection[DeviceName] = ()) -> None:
        """Switch off the wheels of devices whose last score is too old at ``now_ns``, on the monotonic clock.

        Those of the ``fresh`` devices are not.
        """
        for name, device in list(self._spinning.items()):
            if name in fresh:
                continue
            self._emit(device.detector.tick(now_ns), None)
            if not device.detector.wheels_on:
                del self._spinning[name]

    def restart(self, device: PipelineDevice) -> None:
        """End the spin-up of a device, and empty its window."""
        self._emit(device.detector.restart(), None)
        self._scorer.forget(device.detector.device)

    def forget(self, name: DeviceName) -> None:
        """Forget a device without ending its spin-up."""
        self._scorer.forget(name)
        self._spinning.pop(name, None)
        self._warming_up.discard(name)

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
