"""What the daemon keeps and scores of live streams whose timestamps are uneven or whose rate is not 100 Hz."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from service.base.source import Block
from service.base.wall_clock import WallClock
from service.sources.block_builder import BlockBuilder
from stinger.device_name import DeviceName
from stinger.rate import measure_rate
from tests.helpers.samples import samples_at
from tests.stinger.test_rate import batches, jitter, lossy, ticks

Times = npt.NDArray[np.int64]


class Stream:
    """The blocks that a builder makes of samples at ``times_ms``; those with the same timestamp arrive together."""

    def __init__(self, times_ms: Times, *, together: int = 1) -> None:
        self.builder = BlockBuilder(DeviceName("b"), WallClock(lambda: 0, lambda: 0))
        self.blocks: list[Block] = []
        channels = np.random.default_rng(1).integers(-3000, 3000, (times_ms.size, 6))
        samples = samples_at(times_ms, channels=channels)
        arrivals = np.flatnonzero(np.diff(times_ms)) + 1
        for part in np.split(samples, arrivals[together - 1 :: together]):
            self.blocks += self.builder.build(part, (int(part["timestamp_ms"][-1]) + 5) * 1_000_000)

    @property
    def kept(self) -> int:
        return sum(block.samples.size for block in self.blocks)

    @property
    def kept_ms(self) -> Times:
        return np.concatenate([block.samples["timestamp_ms"] for block in self.blocks]).astype(np.int64)


@pytest.mark.parametrize("together", [1, 7])
@pytest.mark.parametrize(
    "times_ms",
    [ticks(100, 16), ticks(100, 15.625), batches(5, 0), batches(5, 1), jitter(4), jitter(9), ticks(97, 1), lossy(0.1)],
)
def test_stream_of_about_100_hz_is_scored_and_not_thinned(times_ms: Times, together: int) -> None:
    stream = Stream(times_ms, together=together)
    assert stream.builder.unscored == 0
    assert stream.builder.rate_problem is None
    assert stream.builder.thinned <= 60  # until the rate is known
    assert stream.kept + stream.builder.thinned == times_ms.size


@pytest.mark.parametrize("together", [1, 7])
@pytest.mark.parametrize(
    "times_ms",
    [
        *(ticks(hz, 1, hz * 30) for hz in (110, 120, 150, 200, 333, 400, 800, 1600)),
        ticks(200, 16, 6000),
        ticks(200, 15.625, 6000),
        np.sort(ticks(200, 1, 6000) + np.random.default_rng(3).integers(0, 5, 6000)),
    ],
)
def test_faster_stream_is_thinned_to_100_hz_counted_and_scored(times_ms: Times, together: int) -> None:
    stream = Stream(times_ms, together=together)
    assert stream.builder.unscored == 0
    assert stream.kept == pytest.approx(3000, rel=0.01)
    assert stream.kept + stream.builder.thinned == times_ms.size
    assert measure_rate(stream.kept_ms[200:]).problem is None


@pytest.mark.parametrize("together", [1, 7])
@pytest.mark.parametrize(
    "times_ms",
    [
        *(ticks(hz, 1) for hz in (20, 50, 62.5, 80)),
        ticks(50, 16),
        lossy(0.4),
        batches(10, 0),
        batches(20, 0),
        batches(20, 1),
    ],
)
def test_stream_that_models_cannot_use_is_never_scored_and_has_a_reason(times_ms: Times, together: int) -> None:
    stream = Stream(times_ms, together=together)
    scorable = sum(block.samples.size for block in stream.blocks if block.rate_problem is None)
    assert scorable < 60  # as long as the rate is unknown: about the samples of one window
    assert stream.builder.unscored == stream.kept - scorable
    assert stream.builder.rate_problem is not None


@pytest.mark.parametrize("advance_ms", [0.0, 0.01])
def test_clock_that_stands_still_or_nearly_so_is_a_reason_within_some_seconds(advance_ms: float) -> None:
    builder = BlockBuilder(DeviceName("b"), WallClock(lambda: 0, lambda: 0))
    channels = np.random.default_rng(1).integers(-3000, 3000, (600, 6))
    samples = samples_at((5000 + advance_ms * np.arange(600)).astype(np.int64), channels=channels)
    kept = 0
    for start in range(0, 600, 10):
        blocks = builder.build(samples[start : start + 10], start * 10_000_000)
        kept += sum(block.samples.size for block in blocks)
    assert builder.rate_problem is not None
    assert kept + builder.thinned == 600


def test_every_sample_sent_twice_is_counted_and_kept_once() -> None:
    builder = BlockBuilder(DeviceName("b"), WallClock(lambda: 0, lambda: 0))
    samples = np.repeat(samples_at(np.arange(500) * 10, channels=np.arange(3000).reshape(500, 6)), 2)
    kept = sum(block.samples.size for one in samples for block in builder.build(np.array([one]), 10**12))
    assert (kept, builder.late, builder.unscored) == (500, 500, 0)


def test_device_that_becomes_slower_is_no_longer_scored_and_is_scored_again_after_it() -> None:
    times_ms = np.concatenate([np.arange(1000) * 10, 10_000 + np.arange(500) * 20, 20_000 + np.arange(1000) * 10])
    problems = [block.rate_problem for block in Stream(times_ms).blocks]
    assert problems[500] is None
    assert problems[1499] == "50 samples a second; models take 100"
    assert problems[-1] is None


def test_late_samples_are_dropped_and_leave_the_rate_as_it_is() -> None:
    times_ms = np.arange(3000) * 10
    times_ms[50::50] -= 20
    stream = Stream(times_ms)
    assert stream.builder.late == 59
    assert stream.builder.unscored == 0
    assert {block.boot for block in stream.blocks} == {0}
