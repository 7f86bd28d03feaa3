from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import numpy.typing as npt
import pytest

from models.decision import DecisionParameters
from service.base.events import Event, Shot, WheelsSwitched
from service.base.source import Block, LinkCounters, LinkReport, LinkState
from service.daemon import flow as flow_module
from service.daemon.flow import REST_S, WAITING_MAX_SAMPLES, Flow, Sink
from stinger.device_name import DeviceName
from tests.helpers.samples import samples_at

HOST_S = 1_700_000_000.0


class Constant:
    """A model with one output."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.runs: list[int] = []

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        self.runs.append(windows.shape[0])
        return np.full(windows.shape[0], self.value, dtype=np.float32)


class Notes(Sink):
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.probability: list[npt.NDArray[np.float32]] = []
        self.events: list[Event] = []
        self.reports: list[LinkReport] = []
        self.gaps: list[str] = []

    def samples(self, block: Block) -> None:
        self.blocks.append(block)

    def scores(self, block: Block, probability: npt.NDArray[np.float32]) -> None:
        assert block.samples.shape[0] == probability.size
        self.probability.append(probability)

    def model_run(self, samples: int, duration_ns: int) -> None:
        assert samples > 0
        assert duration_ns >= 0

    def event(self, event: Event) -> None:
        self.events.append(event)

    def link(self, report: LinkReport) -> None:
        self.reports.append(report)

    def gap(self, device: str) -> None:
        self.gaps.append(device)


def block(device: str, first: int, count: int, *, boot: int = 0, pull: int | None = None) -> Block:
    times = (first + np.arange(count)) * 10
    trigger = np.zeros(count)
    if pull is not None:
        trigger[pull] = 1
    return Block(
        DeviceName(device), samples_at(times, trigger=trigger), HOST_S + times / 1000, time.monotonic_ns(), boot
    )


def made(value: float = 0.9) -> tuple[Flow, Notes, Constant]:
    model, notes = Constant(value), Notes()
    return Flow(model, "v1", DecisionParameters(), [notes], min_shot_gap_ms=1000), notes, model


def report(device: str, state: LinkState) -> LinkReport:
    return LinkReport(DeviceName(device), state, "", LinkCounters(lost=3))


async def test_blocks_of_many_devices_are_scored_in_one_run() -> None:
    flow, notes, model = made()
    for name in "abc":
        await flow.put(block(name, 0, 50))
    flow.score_waiting()
    assert model.runs == [3]
    assert [part.device for part in notes.blocks] == ["a", "b", "c"]


async def test_blocks_of_one_device_are_scored_in_order() -> None:
    flow, notes, _ = made()
    for i in range(4):
        await flow.put(block("a", 30 * i, 30))
    flow.score_waiting()
    assert [int(part.samples["timestamp_ms"][0]) for part in notes.blocks] == [0, 300, 600, 900]
    assert np.isnan(np.concatenate(notes.probability)).sum() == 49


async def test_shots_and_spin_ups_come_out_as_events() -> None:
    flow, notes, _ = made()
    await flow.put(block("a", 0, 100, pull=90))
    flow.score_waiting()
    on, shot = notes.events
    assert isinstance(on, WheelsSwitched)
    assert isinstance(shot, Shot)
    assert (shot.device, shot.device_ms, shot.model, shot.wheels_on) == ("a", 900, "v1", True)


async def test_source_waits_while_the_flow_is_behind_and_nothing_is_lost() -> None:
    flow, notes, _ = made()
    await flow.put(block("a", 0, WAITING_MAX_SAMPLES))
    waiting = asyncio.create_task(flow.put(block("a", WAITING_MAX_SAMPLES, 10)))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    flow.score_waiting()
    async with asyncio.timeout(5):
        await waiting
    flow.score_waiting()
    assert sum(part.samples.shape[0] for part in notes.blocks) == WAITING_MAX_SAMPLES + 10


async def test_lost_link_ends_the_spin_up_and_empties_the_window() -> None:
    flow, notes, _ = made()
    await flow.put(block("a", 0, 100))
    flow.link(report("a", LinkState.LOST))
    assert [event.on for event in notes.events if isinstance(event, WheelsSwitched)] == [True, False]
    await flow.put(block("a", 100, 49))
    flow.score_waiting()
    assert np.isnan(notes.probability[-1]).all()
    assert notes.reports[0].state is LinkState.LOST


async def test_another_boot_empties_the_window_even_if_its_clock_seems_to_go_on() -> None:
    flow, notes, _ = made()
    await flow.put(block("a", 0, 60))
    await flow.put(block("a", 60, 49, boot=1))
    flow.score_waiting()
    assert np.isnan(notes.probability[1]).all()


async def test_gap_is_counted_and_told() -> None:
    flow, notes, _ = made()
    await flow.put(block("a", 0, 60))
    await flow.put(block("b", 0, 60))
    await flow.put(block("b", 100, 60))
    flow.score_waiting()
    assert notes.gaps == ["b"]
    assert {line.device: line.gaps for line in flow.telemetry()} == {"a": 0, "b": 1}


async def test_wheels_of_a_silent_device_go_off() -> None:
    model, notes = Constant(0.9), Notes()
    now_s = HOST_S + 0.6
    flow = Flow(model, "v1", DecisionParameters(), [notes], min_shot_gap_ms=1000, wall_clock=lambda: now_s)
    await flow.put(block("a", 0, 60))
    task = asyncio.create_task(flow.run())
    await asyncio.sleep(0.02)
    assert [event.on for event in notes.events if isinstance(event, WheelsSwitched)] == [True]
    now_s = HOST_S + 0.9
    async with asyncio.timeout(5):
        while len(notes.events) < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    assert isinstance(notes.events[1], WheelsSwitched)
    assert not notes.events[1].on


async def test_wheels_that_go_on_while_the_flow_rests_wake_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_module, "REST_S", 60.0)
    model, notes = Constant(0.9), Notes()
    flow = Flow(model, "v1", DecisionParameters(), [notes], min_shot_gap_ms=1000)
    task = asyncio.create_task(flow.run())
    await asyncio.sleep(0.02)
    await flow.put(block("a", 0, 60))  # of long ago
    async with asyncio.timeout(5):
        while len(notes.events) < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    assert [event.on for event in notes.events if isinstance(event, WheelsSwitched)] == [True, False]


async def test_a_device_that_is_alone_is_scored_before_its_source_goes_on() -> None:
    flow, _, model = made()
    async with running(flow):
        await flow.put(block("a", 0, 60))
        await asyncio.sleep(0.01)  # the first block may find others
        await flow.put(block("a", 60, 1))
        assert model.runs == [11, 1]


class Broken(Constant):
    """A model that has ceased to work."""

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        raise RuntimeError(f"out of order, {windows.shape[0]} windows unscored")


async def test_scoring_that_fails_is_no_business_of_the_source() -> None:
    flow, _, _ = made()
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: said.append(str(about["exception"])))
    async with running(flow):
        await flow.put(block("a", 0, 60))
        await asyncio.sleep(0.01)
        flow.use_model(Broken(0), "v2", DecisionParameters())
        await flow.put(block("a", 60, 1))
    assert said == ["out of order, 1 windows unscored"]


async def test_devices_that_are_not_alone_wait_for_each_other() -> None:
    flow, _, model = made()
    async with running(flow):
        for first in (0, 60):
            await flow.put(block("a", first, 60))
            await flow.put(block("b", first, 60))
            await asyncio.sleep(0.01)
        assert model.runs == [22, 120]


class Slow(Constant):
    """A model that takes its time for each run, however many windows there are."""

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        time.sleep(0.0005)
        return super().probability(windows)


@pytest.mark.parametrize("model", [Constant(0.9), Slow(0.9)], ids=["quick", "slow"])
async def test_many_blocks_that_come_one_by_one_are_gathered_and_few_are_scored_at_once(model: Constant) -> None:
    notes = Notes()
    flow = Flow(model, "v1", DecisionParameters(), [notes], min_shot_gap_ms=1000)
    task = asyncio.create_task(flow.run())
    await asyncio.sleep(0)
    await flow.put(block("a", 0, 50))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert model.runs == [1]
    deadline = time.monotonic() + 0.4
    number = 0
    while time.monotonic() < deadline:
        await flow.put(block(f"b{number}", 0, 50))
        number += 1
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        while len(notes.blocks) < number + 1:
            await asyncio.sleep(0.01)
    task.cancel()
    assert max(model.runs) > 3


async def test_model_is_changed_without_losing_a_sample() -> None:
    flow, notes, _ = made(0.1)
    await flow.put(block("a", 0, 60))
    flow.score_waiting()
    flow.use_model(Constant(0.8), "v2", DecisionParameters(on=0.3))
    await flow.put(block("a", 60, 20))
    flow.score_waiting()
    np.testing.assert_allclose(notes.probability[1], 0.8)
    (line,) = flow.telemetry()
    assert line.model == "v2"
    assert isinstance(notes.events[0], WheelsSwitched)
    assert notes.events[0].model == "v2"


async def test_threshold_of_one_device_survives_another_model_and_does_not_touch_the_others() -> None:
    flow, notes, _ = made(0.6)
    flow.set_threshold(DeviceName("a"), 0.95)
    flow.use_model(Constant(0.6), "v2", DecisionParameters(on=0.5))
    for name in "ab":
        await flow.put(block(name, 0, 100))
    flow.score_waiting()
    assert {event.device for event in notes.events} == {"b"}


async def test_telemetry_tells_rate_latency_link_and_losses() -> None:
    flow, _, _ = made()
    flow.link(report("a", LinkState.STREAMING))
    await flow.put(block("a", 0, 100))
    flow.score_waiting()
    (line,) = flow.telemetry()
    assert (line.rate_hz, line.lost, line.link, line.wheels_on) == (100, 3, "streaming", True)
    assert line.latency_p50_ms is not None
    assert line.latency_p99_ms is not None
    (idle,) = flow.telemetry()
    assert (idle.rate_hz, idle.latency_p50_ms) == (0, None)


@asynccontextmanager
async def running(flow: Flow) -> AsyncIterator[None]:
    task = asyncio.create_task(flow.run())
    try:
        async with asyncio.timeout(10):
            while not flow.gets_on():
                await asyncio.sleep(0.01)
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_flow_gets_on_while_it_runs_and_scores_what_waits() -> None:
    flow, _, _ = made()
    assert not flow.gets_on(), "it does not run yet"
    async with running(flow):
        await flow.put(block("a", 0, 60))
        async with asyncio.timeout(10):
            while not flow.gets_on():
                await asyncio.sleep(0.01)
    flow.gets_on()
    assert not flow.gets_on(), "it does not run any more"


async def test_flow_that_turns_but_does_not_score_what_waits_does_not_get_on(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, _, _ = made()
    monkeypatch.setattr(flow, "score_waiting", lambda: None)
    async with running(flow):
        await flow.put(block("a", 0, 60))
        await asyncio.sleep(3 * REST_S)  # some turns
        assert not flow.gets_on()
