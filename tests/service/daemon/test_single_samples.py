"""Samples that are taken one by one give what the same samples give in blocks."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.threshold import parse_threshold
from service.base.source import LinkCounters, LinkReport, LinkState
from service.base.states import ScoredSingles
from service.base.wall_clock import WallClock
from service.daemon.pipeline import Pipeline
from service.daemon.single_samples import MAX_WAITING
from service.daemon.sinks import MetricsSink
from service.ops.metrics import Metrics
from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from service.sources.block_builder import BlockBuilder
from stinger.device_name import DeviceName
from stinger.sample import SAMPLE_BYTES, SampleArray
from stinger.units import NS_PER_S
from tests.helpers.samples import samples_at
from tests.service.daemon.fakes import FakeModel, KeepingSink, serving

MS = 1_000_000
NAME = DeviceName("b")


class Levels(FakeModel):
    """A model whose probability is the first channel of the newest sample, in thousandths."""

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        self.runs.append(windows.shape[0])
        return (np.abs(windows[:, -1, 0]) / 1000).astype(np.float32)


class LevelsOrNone(Levels):
    """The same, but NaN for a negative channel."""

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        return np.where(windows[:, -1, 0] < 0, np.float32(np.nan), super().probability(windows))


class KeepingSingles(KeepingSink):
    """Keeps single samples as it keeps blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.single_samples = 0

    def on_singles(self, singles: ScoredSingles) -> None:
        self.calls.append("singles")
        self.single_samples += len(singles.passed_ns)
        self.blocks.append(singles.block)
        self.probability.append(singles.probability)


class Blaster:
    """A blaster whose samples pass through a block builder into a pipeline; one by one where that is possible."""

    def __init__(self, sink: KeepingSink, model: FakeModel | None = None) -> None:
        self.sink = sink
        self.model = Levels() if model is None else model
        self.builder = BlockBuilder(NAME, WallClock(lambda: 0, lambda: 0))
        self.pipeline = Pipeline(serving(self.model), min_shot_gap_ms=100, monotonic_ns=lambda: 0, unix_s=lambda: 0.0)
        self.pipeline.subscribe(sink)

    def send(self, samples: SampleArray, read_ms: int) -> None:
        """Send ``samples`` ``(n,)``, which are read at ``read_ms``; a single one need not become a block."""
        if samples.size == 1:
            record, time_ms = samples.tobytes(), int(samples["timestamp_ms"][0])
            if self.builder.is_next(time_ms) and self.pipeline.singles.put(
                NAME, record, time_ms, read_ms * MS, self.builder
            ):
                return
        for block in self.builder.build(samples, read_ms * MS):
            self.pipeline.score([block])

    def send_steadily(self, count: int, *, level: int = 0, first_ms: int = 1000, trigger: int = 0) -> int:
        """Send ``count`` samples 10 ms apart; return the time of the next."""
        for i in range(count):
            channels = np.full((1, 6), level)
            self.send(samples_at([first_ms + 10 * i], channels=channels, trigger=[trigger]), first_ms + 10 * i)
        return first_ms + 10 * count


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_samples_taken_one_by_one_have_the_same_events_scores_and_dates_as_in_blocks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples, read_ms = _stream(rng)
    one_by_one, in_blocks = Blaster(KeepingSingles()), Blaster(KeepingSink())
    at = 0
    while at < samples.size:
        end = at + int(rng.choice([1, 1, 1, 1, 1, 1, 2, 5]))
        tick_ms = read_ms[at] + int(rng.choice([0, 20, 120, 400]))
        for blaster in (one_by_one, in_blocks):
            for i in range(at, min(end, samples.size)) if end - at == 1 else [slice(at, end)]:
                part = samples[i : i + 1] if isinstance(i, int) else samples[i]
                blaster.send(part, int(read_ms[min(end, samples.size) - 1]))
            if at % 7 == 0:
                blaster.pipeline.tick(tick_ms * MS)
        at = end
    one_by_one.pipeline.singles.settle_all()
    taken, blocks = one_by_one.sink, in_blocks.sink
    assert isinstance(taken, KeepingSingles)
    assert taken.single_samples > 0
    assert taken.events == blocks.events
    assert taken.gaps == blocks.gaps
    for kept in ("samples", "taken_ns"):
        one, other = (np.concatenate([getattr(block, kept) for block in sink.blocks]) for sink in (taken, blocks))
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(np.concatenate(taken.probability), np.concatenate(blocks.probability))


def _stream(rng: np.random.Generator) -> tuple[SampleArray, npt.NDArray[np.int64]]:
    """Return samples with changes of level, presses, late ones, gaps and a reboot, and when each is read, in ms."""
    count = 400
    level = np.repeat(rng.choice([0, 100, 240, 260, 480, 520, 900], count // 20), 20)
    steps = np.where(rng.random(count) < 0.95, 10, rng.choice([7, 8, 12, 14, 15, 20, 300], count))
    time_ms = 5000 + np.cumsum(steps)
    if rng.random() < 0.5:
        time_ms[int(rng.integers(150, 350)) :] -= 4000
    channels = np.zeros((count, 6))
    channels[:, 0] = level
    pressed = np.repeat(rng.random(count // 5) < 0.1, 5)
    read_ms = 9000 + np.cumsum(steps) + rng.choice([0, 0, 0, 5, 40], count)
    return samples_at(time_ms, channels=channels, trigger=pressed), np.maximum.accumulate(read_ms).astype(np.int64)


def test_sample_that_switches_the_wheels_on_has_its_event_at_once() -> None:
    blaster = Blaster(KeepingSingles())
    first_ms = blaster.send_steadily(70)
    assert blaster.sink.switches() == []
    while not blaster.pipeline.any_wheels_on:
        first_ms = blaster.send_steadily(1, level=900, first_ms=first_ms)
    assert blaster.sink.switches() == [True]
    event, stamps = blaster.sink.events[0], blaster.sink.event_stamps[0]
    assert (event.device_ms, stamps and stamps.read_ns) == (first_ms - 10, (first_ms - 10) * MS)


def test_press_of_the_trigger_has_its_shot_at_once_and_only_one() -> None:
    sink = KeepingSingles()
    blaster = Blaster(sink)
    first_ms = blaster.send_steadily(70)
    blaster.send_steadily(1, first_ms=first_ms, trigger=1)
    assert len(sink.events) == 1
    waiting = sink.single_samples
    blaster.send_steadily(3, first_ms=first_ms + 10, trigger=1)
    blaster.pipeline.singles.settle_all()
    assert (len(sink.events), sink.single_samples - waiting) == (1, 3)


def test_wheels_that_go_on_at_a_score_that_is_no_number_do_so_at_once_too() -> None:
    stamps = []
    for sink in (KeepingSingles(), KeepingSink()):
        blaster = Blaster(sink, LevelsOrNone())
        first_ms = blaster.send_steadily(70)
        first_ms = blaster.send_steadily(1, level=900, first_ms=first_ms)
        blaster.send_steadily(30, level=-1, first_ms=first_ms)  # the decision holds the last score, 0.9
        read_ns = [stamp and stamp.read_ns for stamp in sink.event_stamps]
        stamps.append(list(zip([event.device_ms for event in sink.events], read_ns, strict=True)))
    assert stamps[0]
    assert stamps[0] == stamps[1]


def test_scores_that_are_no_numbers_are_not_counted() -> None:
    metrics = Metrics()
    blaster = Blaster(KeepingSingles(), LevelsOrNone())
    blaster.pipeline.subscribe(MetricsSink(metrics))
    first_ms = blaster.send_steadily(70)
    blaster.send_steadily(1, level=-1, first_ms=first_ms)
    blaster.pipeline.singles.settle_all()
    device = metrics.device(NAME)
    assert (device.samples, device.scores) == (71, 71 - 50)


def test_process_that_is_held_up_between_two_readings_of_clocks_dates_events_right() -> None:
    blaster = Blaster(KeepingSingles())
    now_ns = itertools.count(0, 100 * MS)  # each reading is 100 ms after the one before
    blaster.pipeline = Pipeline(
        serving(blaster.model),
        min_shot_gap_ms=100,
        monotonic_ns=lambda: next(now_ns),
        unix_s=lambda: next(now_ns) / NS_PER_S,
    )
    blaster.pipeline.subscribe(blaster.sink)
    blaster.send_steadily(1, first_ms=blaster.send_steadily(70), trigger=1)
    assert [event.host_s for event in blaster.sink.events] == [pytest.approx(1.7, abs=0.001)]


def test_samples_wait_for_others_but_no_longer_than_stated() -> None:
    sink = KeepingSingles()
    blaster = Blaster(sink)
    first_ms = blaster.send_steadily(60)
    blaster.pipeline.singles.settle_all()
    seen = sink.single_samples
    first_ms = blaster.send_steadily(MAX_WAITING - 1, first_ms=first_ms)
    assert sink.single_samples == seen
    blaster.send_steadily(1, first_ms=first_ms)
    assert sink.single_samples == seen + MAX_WAITING


@pytest.mark.parametrize("change", ["threshold", "model", "link", "tick", "forget", "release"])
def test_whatever_happens_to_the_device_comes_after_the_samples_that_wait(change: str) -> None:
    sink = KeepingSingles()
    blaster = Blaster(sink)
    blaster.send_steadily(60)
    pipeline = blaster.pipeline
    pipeline.singles.settle_all()
    seen = sink.single_samples
    blaster.send_steadily(5, first_ms=1600)
    match change:
        case "threshold":
            pipeline.set_threshold(None, parse_threshold(0.9))
        case "model":
            pipeline.use_model(serving(FakeModel(), "v2"))
        case "link":
            pipeline.link(LinkReport(NAME, LinkState.LOST, "unplugged", LinkCounters()))
        case "tick":
            pipeline.tick(2000 * MS)
        case "forget":
            pipeline.forget(NAME)
        case "release":
            pipeline.release(NAME)
    assert sink.single_samples == seen + 5


def test_sink_that_knows_only_blocks_gets_all_samples_in_blocks() -> None:
    blaster = Blaster(KeepingSink())
    blaster.send_steadily(80)
    assert [block.samples.size for block in blaster.sink.blocks] == [1] * 80


def test_each_sample_is_in_the_file_before_the_next_one_arrives(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, sync_interval_s=60.0, keep_free_bytes=0)
    pacing = PacedRecorder(recorder, lambda _seconds, _call: None)
    blaster = Blaster(KeepingSingles())
    blaster.pipeline.subscribe(pacing)
    first_ms = 1000
    for count in range(1, 100):
        first_ms = blaster.send_steadily(1, first_ms=first_ms)
        path = recorder.current(NAME)
        assert path is not None
        assert path.stat().st_size == count * SAMPLE_BYTES
    recorder.new_file(NAME)  # as the command does: the next sample begins another
    blaster.send_steadily(2, first_ms=first_ms)
    assert len(list((tmp_path / NAME).glob("*.bin"))) == 2
    assert recorder.close()
    assert recorder.stats().samples == 101
