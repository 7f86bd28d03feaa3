"""An intake that collects blocks and reports, and lets a test wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import numpy as np

from service.base.source import Block, LinkReport, LinkState, SampleDater, Source
from stinger.device_name import DeviceName
from stinger.sample import SAMPLE_DTYPE, SampleArray
from tests.helpers.patience import PATIENCE_S


@dataclass
class Collecting:
    blocks: list[Block] = field(default_factory=list)
    reports: list[LinkReport] = field(default_factory=list)
    pace_s: float | None = None
    """Delay before each block is accepted."""
    _failed: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(self, block: Block) -> None:
        if self.pace_s is not None:
            await asyncio.sleep(self.pace_s)
        self.blocks.append(block)
        self._changed.set()

    def link(self, report: LinkReport) -> None:
        self.reports.append(report)
        self._changed.set()

    @property
    def samples(self) -> SampleArray:
        return np.concatenate([np.empty(0, SAMPLE_DTYPE), *(block.samples for block in self.blocks)])

    @property
    def states(self) -> list[LinkState]:
        """The states of the link without consecutive repeats."""
        states: list[LinkState] = []
        for report in self.reports:
            if not states or states[-1] is not report.state:
                states.append(report.state)
        return states

    async def until_state(self, state: LinkState) -> None:
        await self.until(lambda got: got.states[-1:] == [state])

    async def until_reason(self, beginning: str) -> LinkReport:
        """Wait for a report whose reason begins with ``beginning``, and return it; newer ones may have come since."""

        def found() -> Iterator[LinkReport]:
            return (report for report in self.reports if report.reason.startswith(beginning))

        await self.until(lambda _: any(found()))
        return next(found())

    async def until_samples(self, count: int) -> None:
        """Wait for at least ``count`` samples; the test itself checks that there are no more."""
        await self.until(lambda got: got.samples.size >= count)

    def ended(self, task: asyncio.Task[None]) -> None:
        """End the waiting if the source has failed."""
        self._failed = not task.cancelled() and task.exception() is not None
        self._changed.set()

    async def until(self, condition: Callable[[Collecting], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()
                assert not self._failed, "the source has failed: see below"


@dataclass
class CollectingSingles(Collecting):
    """Takes samples that arrive alone one by one."""

    records: list[bytes] = field(default_factory=list)
    """All samples in the order in which they came, in blocks or alone."""
    singles: int = 0

    async def put(self, block: Block) -> None:
        self.records += [sample.tobytes() for sample in block.samples]
        await super().put(block)

    def put_single(self, device: DeviceName, record: bytes, time_ms: int, read_ns: int, dater: SampleDater) -> bool:
        del device
        dater.take_next(record, time_ms, read_ns)
        self.records.append(record)
        self.singles += 1
        self._changed.set()
        return True

    async def until_records(self, count: int) -> None:
        """Wait for at least ``count`` samples."""
        await self.until(lambda _: len(self.records) >= count)


@asynccontextmanager
async def running(source: Source, intake: Collecting) -> AsyncIterator[asyncio.Task[None]]:
    """Run the source; cancel it at the end, which must not take long."""
    task = asyncio.create_task(source.run(intake))
    task.add_done_callback(intake.ended)
    try:
        yield task
    finally:
        task.cancel()
        async with asyncio.timeout(PATIENCE_S):
            with suppress(asyncio.CancelledError):
                await task
