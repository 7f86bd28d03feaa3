"""The queue in front of the pipeline: its back-pressure and cadence, and the task that scores what is queued."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from service.base.hold_up import HoldUpDetector
from service.base.source import Block, LinkReport, SampleDater
from service.daemon.pipeline import Pipeline
from stinger.device_name import DeviceName

MAX_QUEUED_SAMPLES: Final = 16_384
"""Sources wait while this many samples are queued. A thousand devices fill that in 160 ms."""
TICK_S: Final = 0.05
"""How often wheels that are on are checked: they must go off soon after their last score is too old."""
IDLE_S: Final = 0.25
"""How often the flow wakes while no wheels are on, to show that it is alive."""
SCORING_SHARE: Final = 0.2
"""Blocks are gathered once scoring takes more than this share of the time; a gathered block costs half as much."""
MANY_BLOCKS_A_SECOND: Final = 500
"""Fewer blocks than this are never gathered: they are so large that gathering saves nothing."""
GATHER_S: Final = 0.01
"""How long blocks are gathered. In half of the time, a block costs 4 % more of the processor's time."""
_MEASURED_S: Final = 0.1
_TURNS_TO_READ: Final = 4
"""Turns of the event loop in which what a socket has received becomes a queued block: reading, decoding, waking the
source."""


class Flow:
    """Queues blocks and has ``pipeline`` score them in its own task, :meth:`run`: the sources' `Intake`.

    Blocks are scored when every source that has data has had its turn, one block of each device in a run of the model;
    while many arrive, they are gathered a little longer (`Cadence`). With a single device there is nothing to gather:
    :meth:`put` then scores at once, which saves a turn of the event loop. An exception in scoring is raised by
    :meth:`run`, not by :meth:`put`, as the source is not at fault; nothing is scored after it.
    """

    def __init__(self, pipeline: Pipeline, *, idle_s: float = IDLE_S) -> None:
        self._pipeline = pipeline
        self._idle_s = idle_s
        self._cadence = Cadence()
        self._queue: deque[Block] = deque()
        self._queued_samples = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._has_blocks = asyncio.Event()
        self._wheels_on = asyncio.Event()
        self._running = False
        self._failure: Exception | None = None
        self._ticks = self._runs = 0
        self._checked = (0, 0)  # ticks and runs at the last check of progress

    async def put(self, block: Block) -> None:
        """Queue a block to be scored; wait while too many samples are queued."""
        while self._queued_samples >= MAX_QUEUED_SAMPLES:
            self._has_room.clear()
            await self._has_room.wait()
        self._queue.append(block)
        self._queued_samples += block.samples.shape[0]
        self._cadence.count_block()
        if self._running and self._pipeline.device_count == 1:
            self._score_for_source()
        else:
            self._has_blocks.set()

    def put_single(self, device: DeviceName, record: bytes, time_ms: int, read_ns: int, dater: SampleDater) -> bool:
        """See :class:`service.base.source.SingleIntake`."""
        if self._queue or not self._running or self._failure is not None:
            return False
        try:
            taken = self._pipeline.singles.put(device, record, time_ms, read_ns, dater)
        except Exception as error:  # noqa: BLE001 - see _fail
            self._fail(error)
            return False
        if self._pipeline.any_wheels_on:
            self._wheels_on.set()
        return taken

    def link(self, report: LinkReport) -> None:
        """Pass on a link report. Queued blocks are scored first if it restarts the device's window."""
        if self._pipeline.ends_stream(report):
            self._score_for_source()
        if self._failure is None:
            try:
                self._pipeline.link(report)
            except Exception as error:  # noqa: BLE001 - see _fail
                self._fail(error)

    def forget(self, device: DeviceName) -> None:
        """Forget a device that has been silent for long; it is new again if it sends something."""
        try:
            self._pipeline.forget(device)
        except Exception as error:  # noqa: BLE001 - see _fail
            self._fail(error)

    def release(self, device: DeviceName) -> None:
        """Drop the queued blocks of a device that another daemon serves from now on, and forget the device."""
        kept = deque(block for block in self._queue if block.device != device)
        self._queued_samples = sum(block.samples.shape[0] for block in kept)
        self._queue = kept
        self._has_room.set()
        try:
            self._pipeline.release(device)
        except Exception as error:  # noqa: BLE001 - see _fail
            self._fail(error)

    def call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call ``call`` after ``delay_s`` seconds on the event loop; an exception in it is raised by :meth:`run`."""

        def guarded() -> None:
            try:
                call()
            except Exception as error:  # noqa: BLE001 - see _fail
                self._fail(error)

        asyncio.get_running_loop().call_later(delay_s, guarded)

    async def run(self) -> None:
        """Score what is queued, and switch off the wheels of silent devices, until cancelled.

        Raises the first exception of the model or of a sink, in an exception group.
        """
        self._running = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._score_queued(), name="scoring")
                tasks.create_task(self._tick(), name="ticks")
        finally:
            self._running = False

    def score_queued(self) -> None:
        """Score everything that is queued, one block of each device in a run of the model.

        Raises the exception of the model or of a sink; after that, nothing is scored, and every call raises it again.
        """
        while self._queue or self._failure is not None:
            self._score_once()

    async def judge_silence(self) -> None:
        """Switch off the wheels of devices whose last score is too old, after everything that has arrived was scored.

        What waits in sockets and queues is no silence, only a daemon that is late; nor is the time that reading and
        scoring take, in which the daemon may have to wait for a processor. Raises as :meth:`score_queued` does.
        """
        now_ns = self._pipeline.now_ns()
        if self._pipeline.any_wheels_on:
            for _ in range(_TURNS_TO_READ):
                await asyncio.sleep(0)
            self.score_queued()
        self._pipeline.tick(now_ns)

    def check_progress(self) -> bool:
        """Return whether the flow has run since the last check and, if blocks are queued, has scored some."""
        (ticks, runs), self._checked = self._checked, (self._ticks, self._runs)
        return ticks != self._ticks and (runs != self._runs or not self._queue)

    async def _score_queued(self) -> None:
        while True:
            await self._has_blocks.wait()
            if self._cadence.delay_s:
                await asyncio.sleep(self._cadence.delay_s)
            self._has_blocks.clear()
            while self._queue or self._failure is not None:
                self._score_once()
                if not self._queue:
                    break
                # The outbox gets a turn to write: a killed daemon loses the events of one run of the model at most.
                await asyncio.sleep(0)

    def _score_once(self) -> None:
        """Score the first queued block of each device, in one run of the model."""
        if self._failure is not None:
            raise self._failure
        started_s = time.monotonic()
        try:
            self._pipeline.score([self._next_block()] if len(self._queue) == 1 else self._next_blocks())
        except Exception as error:
            self._failure = error
            raise
        self._runs += 1
        self._cadence.count_scoring(time.monotonic() - started_s)
        if self._pipeline.any_wheels_on:
            self._wheels_on.set()
        self._has_room.set()

    def _score_for_source(self) -> None:
        """Score in the task of a source."""
        try:
            self.score_queued()
        except Exception as error:  # noqa: BLE001 - see _fail
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Have :meth:`run` raise ``error``, which is a fault of the program and not of the caller."""
        self._failure = self._failure or error
        self._has_blocks.set()

    async def _tick(self) -> None:
        hold_up = HoldUpDetector()
        while True:
            if self._pipeline.any_wheels_on:
                held_up = await hold_up.sleep(TICK_S)
            else:
                self._wheels_on.clear()
                hold_up.begin(self._idle_s)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._idle_s):
                        await self._wheels_on.wait()
                held_up = hold_up.was_held_up()
            if not held_up:  # otherwise the samples that arrived meanwhile are scored first
                await self.judge_silence()
            self._ticks += 1

    def _next_block(self) -> Block:
        block = self._queue.popleft()
        self._queued_samples -= block.samples.shape[0]
        return block

    def _next_blocks(self) -> list[Block]:
        """Take the first queued block of each device, in order; later ones of the same device stay in the queue."""
        taken: dict[DeviceName, Block] = {}
        left: deque[Block] = deque()
        for block in self._queue:
            if block.device in taken:
                left.append(block)
            else:
                taken[block.device] = block
        self._queue = left
        self._queued_samples -= sum(block.samples.shape[0] for block in taken.values())
        return list(taken.values())


class Cadence:
    """Measures the rate of blocks and the time that scoring takes, and decides whether to gather blocks.

    Gathering ends when the rate falls to half of what it was when gathering began. ``clock`` returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gathering_since_rate: float | None = None
        self._blocks, self._scoring_s, self._since_s = 0, 0.0, clock()

    @property
    def delay_s(self) -> float:
        """How long to let blocks gather before they are scored; 0 to score at once."""
        return 0.0 if self._gathering_since_rate is None else GATHER_S

    def count_block(self) -> None:
        """Count a block that was queued."""
        self._blocks += 1
        now_s = self._clock()
        measured_s = now_s - self._since_s
        if measured_s < _MEASURED_S:
            return
        rate = self._blocks / measured_s
        if self._gathering_since_rate is None:
            # Not the rate alone: scoring block by block may itself hold the rate below what sources could deliver.
            if rate > MANY_BLOCKS_A_SECOND and self._scoring_s > SCORING_SHARE * measured_s:
                self._gathering_since_rate = rate
        elif rate < self._gathering_since_rate / 2:
            self._gathering_since_rate = None
        self._blocks, self._scoring_s, self._since_s = 0, 0.0, now_s

    def count_scoring(self, seconds: float) -> None:
        """Count time that scoring took."""
        self._scoring_s += seconds
