"""Samples that arrive one by one: recorded and scored at once, while everything else waits for some more of them.

A blaster on a port sends a sample every 10 ms. Each time the processor has to load code and data anew, so what counts
is how much of the program a sample passes through.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from models.decision import LATE_MS
from models.scorer import Scorer
from service.base.source import Block, LinkState, SampleDater
from service.base.states import ScoredSingles
from service.daemon.event_detector import EventDetector
from service.daemon.pipeline_device import PipelineDevice
from service.daemon.scoring import Scoring
from service.daemon.subscribed_sinks import SubscribedSinks
from stinger.device_name import DeviceName
from stinger.sample import SAMPLE_DTYPE
from stinger.units import NS_PER_MS

MAX_WAITING: Final = 25
"""So many samples of a device wait at most: those of a quarter of a second."""
MAX_WAIT_MS: Final = 250
"""Samples that no other one follows wait for so long, and until the next check of wheels."""


class SingleSamples:
    """Takes single samples that continue their device's newest block without a gap in time.

    Of such a sample, only this is done at once: it is recorded and scored, and the level of the envelope is followed.
    It then waits until there are :data:`MAX_WAITING`, one has an event, no other sample follows, or anything else
    happens to its device. Then :meth:`settle` passes those that wait on as one block, which finds the events: in the same
    turn of the event loop as the sample that caused them. Decisions do not depend on how samples are divided into
    blocks.
    """

    def __init__(
        self,
        devices: Mapping[DeviceName, PipelineDevice],
        scorer: Scorer,
        scoring: Scoring,
        sinks: SubscribedSinks,
    ) -> None:
        self._devices = devices
        self._scorer = scorer
        self._scoring = scoring
        self._sinks = sinks
        self._waiting: dict[DeviceName, _Waiting] = {}

    def put(self, name: DeviceName, record: bytes, time_ms: int, read_ns: int, dater: SampleDater) -> bool:
        """Record and score a sample; see :class:`service.base.source.SingleIntake`."""
        waiting = self._waiting.get(name) or self._begin(name, dater)
        if waiting is None or not 0 < time_ms - waiting.newest_ms < LATE_MS:
            return False
        recorder = self._sinks.single
        if recorder is not None and not recorder.on_single(name, record, time_ms, read_ns):
            return False
        dater.take_next(record, time_ms, read_ns)
        started_ns = time.monotonic_ns()
        probability = self._scorer.push_next(name, record, time_ms)
        self._waiting[name] = waiting
        has_event = waiting.add(record, time_ms, probability, (read_ns, started_ns, time.monotonic_ns()))
        if has_event or len(waiting.records) >= MAX_WAITING:
            self.settle(name)
        return True

    def settle(self, name: DeviceName) -> None:
        """Find the events in the samples of a device that wait, and pass the samples and their scores to the sinks."""
        waiting = self._waiting.pop(name, None)
        newest = self._devices[name].detector.newest if waiting is not None else None
        if waiting is None or newest is None:
            return
        block = waiting.block(newest)
        probability = np.array(waiting.probability, dtype=np.float32)
        self._scoring.detect(block, probability)
        singles = ScoredSingles(block, probability, waiting.passed_ns)
        for sink in self._sinks.singles:
            sink.on_singles(singles)

    def settle_all(self) -> None:
        """Settle every device."""
        for name in list(self._waiting):
            self.settle(name)

    def settle_old(self, now_ns: int) -> Collection[DeviceName]:
        """Settle devices whose newest sample is old at ``now_ns``; return the devices with samples that still wait."""
        for name, waiting in list(self._waiting.items()):
            if waiting.is_old(now_ns):
                self.settle(name)
        return self._waiting

    def _begin(self, name: DeviceName, dater: SampleDater) -> _Waiting | None:
        """Return a place where the samples of a device may wait; ``None`` if they have to come as blocks.

        No sample of the device waits yet.
        """
        device = self._devices.get(name)
        if device is None or device.link is not LinkState.STREAMING or not self._sinks.take_singles():
            return None
        newest, decision = device.detector.newest, device.detector.decision
        if newest is None or newest.warm_up or newest.rate_problem is not None:
            return None
        if decision.output_ms != decision.sample_ms or not self._scorer.is_full(name):
            return None
        return _Waiting(device.detector, dater)


class _Waiting:
    """The samples of one device that wait, and the level of its envelope after them."""

    def __init__(self, detector: EventDetector, dater: SampleDater) -> None:
        self.newest_ms = detector.decision.output_ms
        """The device's time of the newest sample."""
        self.records: list[bytes] = []
        self.probability: list[float] = []
        self.passed_ns: list[tuple[int, int, int]] = []
        """See :class:`ScoredSingles`."""
        self._trigger = int(detector.trigger)  # 1 if it was down with the newest sample
        self._dater = dater
        self._parameters = detector.decision.parameters
        self._wheels = detector.decision.wheels
        self._level = detector.decision.envelope

    def add(self, record: bytes, time_ms: int, probability: float, passed_ns: tuple[int, int, int]) -> bool:
        """Add a sample; return whether it may have an event: its score switches the wheels, or the trigger goes down with it."""
        trigger = record[-1]
        pressed, self._trigger, self.newest_ms = trigger > self._trigger, trigger, time_ms
        parameters, level = self._parameters, self._level
        level += (parameters.attack if probability > level else parameters.release) * (probability - level)
        self._level = level
        self.records.append(record)
        self.probability.append(probability)
        self.passed_ns.append(passed_ns)
        # With a score that is NaN, the decision holds the last score, and the level is not known here: it counts as an event.
        return pressed or not (level >= parameters.off if self._wheels else level < parameters.on)

    def is_old(self, now_ns: int) -> bool:
        """Return whether no sample has followed for :data:`MAX_WAIT_MS` at ``now_ns``, or for so long that wheels go off."""
        return now_ns - self.passed_ns[-1][0] >= min(MAX_WAIT_MS, self._parameters.stale_ms) * NS_PER_MS

    def block(self, before: Block) -> Block:
        """Return the samples as a block that follows the block ``before``."""
        return replace(
            before,
            samples=np.frombuffer(b"".join(self.records), dtype=SAMPLE_DTYPE),
            taken_ns=np.array(self._dater.take_dates()),
            unix_offset_s=self._dater.unix_offset_s(),
            read_ns=self.passed_ns[-1][0],
        )
