"""From blocks to events: every block that waits is scored in one run of the model, decided on, and told to the sinks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from models.decision import DecisionParameters
from models.scorer import Scorer, Scores, WindowModel
from service.base.events import Event, Telemetry
from service.base.logs import event_text
from service.base.source import Block, LinkCounters, LinkReport, LinkState
from service.daemon.event_detector import EventDetector
from stinger.device_name import DeviceName

WAITING_MAX_SAMPLES: Final = 16_384
"""How many samples may wait to be scored; then sources wait. A thousand devices fill that in 160 ms."""
SCORING_SHARE: Final = 0.4
"""When scoring blocks one by one takes more of the time, they are gathered for GATHER_S, and each then costs half as much.

Until half as many come. Large blocks, fewer than MANY_BLOCKS_A_SECOND, are scored at once: they gain nothing.
"""
MANY_BLOCKS_A_SECOND: Final = 500
GATHER_S: Final = 0.005
_COUNTING_S: Final = 0.1
TICK_S: Final = 0.05
"""How often devices whose wheels are on are looked at: they must go off soon after an output is too old."""
REST_S: Final = 0.25
"""How often the flow turns while no wheels are on, to show that it lives."""

_LOG = logging.getLogger(__name__)


class Sink:
    """What the flow tells of; whoever derives from it and leaves a method as it is does nothing about that.

    No method may wait, and none may raise for trouble of its own.
    """

    def samples(self, block: Block) -> None:
        """Samples came."""

    def scores(self, block: Block, probability: npt.NDArray[np.float32]) -> None:
        """They were scored: ``(n,)``, NaN where a sample has no score. The wheels were decided as well."""

    def model_run(self, samples: int, duration_ns: int) -> None:
        """The model was run on the windows that so many samples ended."""

    def event(self, event: Event) -> None:
        """Something happened to a device."""

    def link(self, report: LinkReport) -> None:
        """A link is in another state, or told once more."""

    def gap(self, device: DeviceName) -> None:
        """A device's window was emptied."""


@dataclass(slots=True)
class _Device:
    track: EventDetector
    boot: int = 0
    gaps: int = 0
    samples: int = 0
    link: LinkState = LinkState.CONNECTING
    counters: LinkCounters = field(default_factory=LinkCounters)
    latencies_ms: list[float] = field(default_factory=list)


class Flow:
    """The middle of the daemon; an :class:`~service.base.source.Intake` for the sources.

    ``decision`` holds for devices that were given no parameters of their own. ``parameters_of`` is asked for a new
    device's.
    """

    def __init__(
        self,
        model: WindowModel,
        version: str,
        decision: DecisionParameters,
        sinks: Iterable[Sink],
        *,
        min_shot_gap_ms: float,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.version = version
        self._scorer = Scorer(model)
        self._decision = decision
        self._own_decisions: dict[DeviceName, DecisionParameters] = {}
        self._sinks = tuple(sinks)
        self._min_shot_gap_ms = min_shot_gap_ms
        self._wall_clock = wall_clock
        self._devices: dict[DeviceName, _Device] = {}
        self._spinning: dict[DeviceName, _Device] = {}  # those whose wheels are on, and perhaps some more
        self._some_spin = asyncio.Event()
        self._waiting: deque[Block] = deque()
        self._waiting_samples = 0
        self._loop: asyncio.AbstractEventLoop | None = None  # while it runs
        self._called = False
        self._done = self._seen = (0, 0)
        self._many_from: float | None = (
            None  # blocks a second at which gathering began; None while they are not gathered
        )
        self._counted, self._counting_since_s, self._scoring_s = 0, time.monotonic(), 0.0
        self._room = asyncio.Event()
        self._room.set()

    @property
    def devices(self) -> tuple[DeviceName, ...]:
        """Every device heard of."""
        return tuple(self._devices)

    def threshold(self, device: DeviceName) -> float:
        """From which level of the envelope on the wheels of ``device`` spin."""
        return self._own_decisions.get(device, self._decision).on

    async def put(self, block: Block) -> None:
        """Let a block wait to be scored; while too many samples wait, this waits as well."""
        while self._waiting_samples >= WAITING_MAX_SAMPLES:
            self._room.clear()
            await self._room.wait()
        self._waiting.append(block)
        self._waiting_samples += block.samples.shape[0]
        self._count_block()
        self._score_soon()

    def link(self, report: LinkReport) -> None:
        """Take note of a link. What waits of the device is scored before its window starts over."""
        device = self._device(report.device)
        if report.state is not LinkState.STREAMING and report.state is not device.link:
            self.score_waiting()
            self._tell(device.track.restart())
            self._scorer.forget(report.device)
        device.link, device.counters = report.state, report.counters
        for sink in self._sinks:
            sink.link(report)

    def use_model(self, model: WindowModel, version: str, decision: DecisionParameters) -> None:
        """Score with another model from the next block on. Windows stay, so no sample goes unscored."""
        self._scorer.model = model
        self.version, self._decision = version, decision
        for name, device in self._devices.items():
            device.track.model = version
            device.track.parameters = self._own_decisions.get(name, decision)

    def set_threshold(self, device: DeviceName | None, on: float) -> DecisionParameters:
        """Change when the wheels of one device, or of all, go on. Raises :class:`InputError` outside 0.05 to 0.95."""
        parameters = self._decision.at(on)
        if device is None:
            self._decision = parameters
            self._own_decisions.clear()
        else:
            self._own_decisions[device] = parameters
        for name, known in self._devices.items():
            if device in {None, name}:
                known.track.parameters = parameters
        return parameters

    async def run(self) -> None:
        """Score what comes, and let the wheels of silent devices go off, until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            self._score_soon()
            while True:
                await self._pause()
                self.tick()
                self._done = self._done[0] + 1, self._done[1]
        finally:
            self._loop = None

    async def _pause(self) -> None:
        if self._spinning:
            await asyncio.sleep(TICK_S)
            return
        self._some_spin.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_S):
                await self._some_spin.wait()

    def _score_soon(self) -> None:
        """Score when every reader that has something has had its turn; where many blocks come, a little later still.

        A device that is alone is scored at once.
        """
        if self._loop is None or not self._waiting or self._called:
            return
        if len(self._devices) == 1:
            try:
                self.score_waiting()
            except Exception as error:  # noqa: BLE001 - it is no business of the source, and told as elsewhere
                self._loop.call_exception_handler({"message": "scoring failed", "exception": error})
            return
        self._called = True
        if self._many_from is not None:
            self._loop.call_later(GATHER_S, self.score_waiting)
        else:
            self._loop.call_soon(self.score_waiting)

    def _count_block(self) -> None:
        """Find out whether so many blocks come that scoring them one by one would cost too much."""
        self._counted += 1
        now_s = time.monotonic()
        past_s = now_s - self._counting_since_s
        if past_s < _COUNTING_S:
            return
        rate = self._counted / past_s
        if self._many_from is None:
            # Not the rate alone: what scoring one by one lets through can be less than what comes.
            if rate > MANY_BLOCKS_A_SECOND and self._scoring_s > SCORING_SHARE * past_s:
                self._many_from = rate
        elif rate < self._many_from / 2:
            self._many_from = None
        self._counted, self._counting_since_s, self._scoring_s = 0, now_s, 0.0

    def tick(self) -> None:
        """Let the wheels of silent devices go off."""
        now_s = self._wall_clock()
        for device in list(self._spinning.values()):
            self._tell(device.track.tick(now_s))
            if not device.track.wheels_on:
                del self._spinning[device.track.device]

    def score_waiting(self) -> None:
        """Score everything that waits: one block a device in each run of the model."""
        self._called = False
        began_s = time.monotonic()
        while self._waiting:
            self._score([self._only()] if len(self._waiting) == 1 else self._take())
        self._scoring_s += time.monotonic() - began_s
        if not self._room.is_set():
            self._room.set()

    def gets_on(self) -> bool:
        """Whether it has run since the last call and, if something waits to be scored, has scored something."""
        (turns, runs), (turns_seen, runs_seen) = self._done, self._seen
        self._seen = self._done
        return turns != turns_seen and (runs != runs_seen or not self._waiting)

    def telemetry(self) -> list[Telemetry]:
        """How each device did since the last call, which is meant to be a second ago."""
        now_s = self._wall_clock()
        return [self._telemetry(name, device, now_s) for name, device in self._devices.items()]

    def _only(self) -> Block:
        block = self._waiting.popleft()
        self._waiting_samples -= block.samples.shape[0]
        return block

    def _take(self) -> list[Block]:
        """The first waiting block of each device, in order; further ones of the same device stay."""
        taken: dict[str, Block] = {}
        later: deque[Block] = deque()
        for block in self._waiting:
            if block.device in taken:
                later.append(block)
            else:
                taken[block.device] = block
        self._waiting = later
        blocks = list(taken.values())
        self._waiting_samples -= sum(block.samples.shape[0] for block in blocks)
        return blocks

    def _score(self, blocks: list[Block]) -> None:
        for block in blocks:
            device = self._device(block.device)
            device.link = LinkState.STREAMING
            if block.boot != device.boot:
                device.boot = block.boot
                self._tell(device.track.restart())
                self._scorer.forget(block.device)
            for sink in self._sinks:
                sink.samples(block)
        started_ns = time.monotonic_ns()
        if len(blocks) == 1:
            scores = self._scorer.push(blocks[0].device, blocks[0].samples)
        else:
            scores = self._scorer.push_blocks([(block.device, block.samples) for block in blocks])
        duration_ns = time.monotonic_ns() - started_ns
        self._done = self._done[0], self._done[1] + 1
        for sink in self._sinks:
            sink.model_run(scores.probability.size, duration_ns)
        if scores.resets.size:
            self._count_gaps(blocks, scores)
        for i, block in enumerate(blocks):
            device = self._devices[block.device]
            probability = scores.block(i)
            events = device.track.push(block.samples, block.taken_s, probability)
            if device.track.wheels_on:
                self._spinning[block.device] = device
                self._some_spin.set()
            device.samples += block.samples.shape[0]
            device.latencies_ms.append((time.monotonic_ns() - block.read_ns) / 1e6)
            for sink in self._sinks:
                sink.scores(block, probability)
            self._tell(events)

    def _count_gaps(self, blocks: list[Block], scores: Scores) -> None:
        for i in np.searchsorted(scores.starts, scores.resets, side="right").tolist():
            self._devices[blocks[i - 1].device].gaps += 1
            for sink in self._sinks:
                sink.gap(blocks[i - 1].device)

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            for sink in self._sinks:
                sink.event(event)

    def _device(self, name: DeviceName) -> _Device:
        device = self._devices.get(name)
        if device is None:
            parameters = self._own_decisions.get(name, self._decision)
            track = EventDetector(name, self.version, parameters, min_shot_gap_ms=self._min_shot_gap_ms)
            device = self._devices[name] = _Device(track)
            _LOG.info(event_text("new_device", device=name))
        return device

    def _telemetry(self, name: DeviceName, device: _Device, now_s: float) -> Telemetry:
        latencies, device.latencies_ms = device.latencies_ms, []
        latencies.sort()
        samples, device.samples = device.samples, 0
        return Telemetry(
            device=name,
            host_s=now_s,
            probability=device.track.probability,
            wheels_on=device.track.wheels_on,
            rate_hz=float(samples),
            gaps=device.gaps,
            lost=device.counters.lost,
            corrupted=device.counters.corrupted,
            latency_p50_ms=_quantile(latencies, 0.50),
            latency_p99_ms=_quantile(latencies, 0.99),
            link=device.link.value,
            model=device.track.model,
        )


def _quantile(ascending: list[float], part: float) -> float | None:
    """The value below which ``part`` of ``ascending`` lies; ``None`` if it is empty. NumPy takes 30 us a device for two."""
    return ascending[min(len(ascending) - 1, int(part * len(ascending)))] if ascending else None
