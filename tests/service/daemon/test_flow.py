from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from service.base.source import LinkState
from service.daemon.flow import IDLE_S, MAX_QUEUED_SAMPLES, Flow
from service.daemon.pipeline import Pipeline
from stinger.device_name import DeviceName
from stinger.errors import first_error
from tests.helpers.patience import PATIENCE_S
from tests.service.daemon.fakes import BrokenModel, FakeModel, KeepingSink, block, report, serving


def flow_of(model: FakeModel, *, idle_s: float = IDLE_S) -> tuple[Flow, Pipeline, KeepingSink]:
    pipeline, sink = Pipeline(serving(model), min_shot_gap_ms=1000), KeepingSink()
    pipeline.subscribe(sink)
    return Flow(pipeline, idle_s=idle_s), pipeline, sink


@asynccontextmanager
async def running(flow: Flow) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(flow.run())
    await asyncio.sleep(0.01)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(sink: KeepingSink, *, blocks: int = 0, events: int = 0) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(sink.probability) < blocks or len(sink.events) < events:
            await asyncio.sleep(0.005)


async def test_queued_blocks_of_one_device_are_scored_in_order() -> None:
    flow, _, sink = flow_of(FakeModel())
    for i in range(4):
        await flow.put(block("a", 30 * i, 30))
    flow.score_queued()
    assert [int(part.samples["timestamp_ms"][0]) for part in sink.blocks] == [0, 300, 600, 900]
    assert np.isnan(np.concatenate(sink.probability)).sum() == 49


async def test_queued_blocks_of_many_devices_share_a_run_of_the_model() -> None:
    model = FakeModel()
    flow, _, _ = flow_of(model)
    for name in "abcab":
        await flow.put(block(name, 0, 50))
    flow.score_queued()
    assert model.runs == [3, 2]


async def test_source_waits_while_the_queue_is_full_and_nothing_is_lost() -> None:
    flow, _, sink = flow_of(FakeModel())
    await flow.put(block("a", 0, MAX_QUEUED_SAMPLES))
    waiting = asyncio.create_task(flow.put(block("a", MAX_QUEUED_SAMPLES, 10)))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    flow.score_queued()
    async with asyncio.timeout(PATIENCE_S):
        await waiting
    flow.score_queued()
    assert sum(part.samples.shape[0] for part in sink.blocks) == MAX_QUEUED_SAMPLES + 10


async def test_queued_blocks_are_scored_before_a_lost_link_empties_the_window() -> None:
    flow, _, sink = flow_of(FakeModel())
    await flow.put(block("a", 0, 100))
    flow.link(report("a", LinkState.STREAMING))
    flow.link(report("a", LinkState.LOST))
    assert sink.switches() == [True, False]
    await flow.put(block("a", 100, 49))
    flow.score_queued()
    assert np.isnan(sink.probability[-1]).all()


async def test_blocks_queued_before_the_flow_runs_are_scored_when_it_does() -> None:
    flow, _, sink = flow_of(FakeModel())
    await flow.put(block("a", 0, 60))
    async with running(flow):
        await until(sink, blocks=1)


async def test_wheels_of_a_silent_device_go_off_although_the_flow_is_idle() -> None:
    flow, _, sink = flow_of(FakeModel(), idle_s=60.0)
    async with running(flow):
        await flow.put(block("a", 0, 60))  # taken long ago by the host's clock
        await until(sink, events=2)
    assert sink.switches() == [True, False]


async def test_block_of_a_single_device_is_scored_before_put_returns() -> None:
    model = FakeModel()
    flow, pipeline, _ = flow_of(model)
    pipeline.add_device(DeviceName("a"))
    async with running(flow):
        await flow.put(block("a", 0, 60))
        await flow.put(block("a", 60, 1))
        assert model.runs == [11, 1]


async def test_blocks_of_several_devices_wait_for_each_other() -> None:
    model = FakeModel()
    flow, pipeline, sink = flow_of(model)
    for name in "ab":
        pipeline.add_device(DeviceName(name))
    async with running(flow):
        for first in (0, 60):
            await flow.put(block("a", first, 60))
            await flow.put(block("b", first, 60))
            await until(sink, blocks=2 if first == 0 else 4)
        assert model.runs == [22, 120]


@pytest.mark.parametrize("devices", ["a", "ab"], ids=["single", "several"])
async def test_exception_in_scoring_is_raised_by_the_flow_and_not_by_put(devices: str) -> None:
    model = BrokenModel()
    flow, pipeline, sink = flow_of(model)
    for name in devices:
        pipeline.add_device(DeviceName(name))
    async with running(flow) as task:
        await flow.put(block("a", 0, 60))
        await asyncio.wait([task], timeout=PATIENCE_S)
        assert task.done()
        error = task.exception()
        assert isinstance(error, ExceptionGroup)
        assert str(first_error(error)) == "out of order, 11 windows unscored"
        await flow.put(block("a", 60, 1))
    with pytest.raises(RuntimeError, match="out of order"):
        flow.score_queued()
    assert len(sink.blocks) == 1, "nothing is scored after a failure"


async def test_exception_of_a_sink_at_a_tick_is_raised_by_the_flow() -> None:
    class FailingSink(KeepingSink):
        def on_event(self, *arguments: object) -> None:
            if self.events:
                raise RuntimeError("no second event")
            super().on_event(*arguments)  # type: ignore[arg-type]  # passed on as they are

    pipeline = Pipeline(serving(FakeModel()), min_shot_gap_ms=1000)
    pipeline.subscribe(FailingSink())
    flow = Flow(pipeline)
    async with running(flow) as task:
        await flow.put(block("a", 0, 60))
        await asyncio.wait([task], timeout=PATIENCE_S)
        error = task.exception()
        assert isinstance(error, ExceptionGroup)
        assert str(first_error(error)) == "no second event"


async def test_exception_of_a_sink_at_a_link_report_is_raised_by_the_flow_and_not_by_link() -> None:
    class FailingSink(KeepingSink):
        def on_link(self, *_: object) -> None:
            raise RuntimeError("no link")

    pipeline = Pipeline(serving(FakeModel()), min_shot_gap_ms=1000)
    pipeline.subscribe(FailingSink())
    flow = Flow(pipeline)
    async with running(flow) as task:
        flow.link(report("a", LinkState.CONNECTING))
        await asyncio.wait([task], timeout=PATIENCE_S)
        error = task.exception()
        assert isinstance(error, ExceptionGroup)
        assert str(first_error(error)) == "no link"


async def test_exception_in_a_delayed_call_is_raised_by_the_flow() -> None:
    flow, _, _ = flow_of(FakeModel())

    def broken() -> None:
        raise RuntimeError("too late")

    async with running(flow) as task:
        flow.call_later(0.01, broken)
        await asyncio.wait([task], timeout=PATIENCE_S)
        error = task.exception()
        assert isinstance(error, ExceptionGroup)
        assert str(first_error(error)) == "too late"


class SlowModel(FakeModel):
    """A model that takes its time for each run, however many windows there are."""

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        time.sleep(0.0005)
        return super().probability(windows)


@pytest.mark.calm
@pytest.mark.parametrize("model", [FakeModel(), SlowModel()], ids=["quick", "slow"])
async def test_many_blocks_that_come_one_by_one_are_gathered_and_few_are_scored_at_once(model: FakeModel) -> None:
    flow, _, sink = flow_of(model)
    async with running(flow):
        await flow.put(block("a", 0, 50))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert model.runs == [1]
        deadline = time.monotonic() + PATIENCE_S
        number = 0
        while max(model.runs) <= 3 and time.monotonic() < deadline:
            await flow.put(block(f"b{number}", 0, 50))
            number += 1
            await asyncio.sleep(0)
        await until(sink, blocks=number + 1)
    assert max(model.runs) > 3


async def progress(flow: Flow) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not flow.check_progress():
            await asyncio.sleep(0.01)


async def test_flow_progresses_while_it_runs_and_scores_what_is_queued() -> None:
    flow, _, _ = flow_of(FakeModel())
    assert not flow.check_progress(), "it does not run yet"
    async with running(flow):
        await progress(flow)
        await flow.put(block("a", 0, 60))
        await progress(flow)
    flow.check_progress()
    assert not flow.check_progress(), "it does not run any more"


async def test_flow_that_ticks_but_does_not_score_what_is_queued_does_not_progress(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow, _, _ = flow_of(FakeModel())
    monkeypatch.setattr(flow, "_score_once", lambda: None)
    async with running(flow):
        await progress(flow)
        await flow.put(block("a", 0, 60))
        await asyncio.sleep(3 * IDLE_S)  # some ticks
        assert not flow.check_progress()


async def test_queued_blocks_of_a_released_device_are_dropped_and_others_are_scored() -> None:
    flow, pipeline, sink = flow_of(FakeModel())
    for name in "abab":
        await flow.put(block(name, 0 if name not in pipeline.devices else 60, 60))
    flow.release(DeviceName("a"))
    flow.score_queued()
    assert {part.device for part in sink.blocks} == {"b"}
    assert pipeline.devices == ("b",)


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_wheels_stay_on_while_the_next_samples_have_arrived_and_were_not_scored_yet(turns: int) -> None:
    flow, pipeline, sink = flow_of(FakeModel())
    pipeline.add_device(DeviceName("b"))  # so that blocks are queued
    now_ns = time.monotonic_ns()
    flow_block = replace(block("a", 0, 60), read_ns=now_ns - 400_000_000)
    await flow.put(flow_block)
    flow.score_queued()
    assert sink.switches() == [True]

    async def arrive() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await flow.put(replace(block("a", 60, 40), read_ns=time.monotonic_ns()))

    arriving = asyncio.create_task(arrive())
    await flow.judge_silence()
    assert sink.switches() == [True]
    await arriving
    assert len(sink.blocks) == 2


async def test_wheels_go_off_if_nothing_has_arrived() -> None:
    flow, _, sink = flow_of(FakeModel())
    await flow.put(replace(block("a", 0, 60), read_ns=time.monotonic_ns() - 400_000_000))
    flow.score_queued()
    await flow.judge_silence()
    assert sink.switches() == [True, False]


async def test_wheels_stay_on_if_scoring_what_has_arrived_takes_long() -> None:
    flow, pipeline, sink = flow_of(HesitantModel())
    pipeline.add_device(DeviceName("b"))  # so that blocks are queued
    await flow.put(replace(block("a", 0, 60), read_ns=time.monotonic_ns()))
    flow.score_queued()
    await flow.put(replace(block("a", 60, 10), read_ns=time.monotonic_ns()))
    await flow.judge_silence()
    assert sink.switches() == [True]


class HesitantModel(FakeModel):
    """A model whose process gets no processor for longer than the wheels wait for a score."""

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        time.sleep(0.3)
        return super().probability(windows)
