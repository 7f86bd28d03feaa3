"""A clock that starts over too often begins few boots, by one rule for files and live streams."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest

from service.base.wall_clock import WallClock
from service.sources.block_builder import BlockBuilder
from stinger.clock_trust import STEADY_SAMPLES, ClockTrust
from stinger.device_name import DeviceName
from stinger.errors import FileError
from stinger.logs import parse_log
from stinger.recording import split_samples
from stinger.sample import CLOCK_WRAP_MS, SampleArray
from tests.helpers.samples import samples_at

COUNT = 20_000
MOST_BOOTS = 125
"""A hundred, and one more for each 1,000 samples."""


def backwards(count: int) -> list[int]:
    return [10_000_000 - 10 * n for n in range(count)]


def at_random(count: int) -> list[int]:
    times: list[int] = np.random.default_rng(1).integers(0, CLOCK_WRAP_MS, count).tolist()
    return times


def at_random_within_a_minute(count: int) -> list[int]:
    times: list[int] = np.random.default_rng(2).integers(0, 60_000, count).tolist()
    return times


def alternating(count: int) -> list[int]:
    return list(islice(cycle([1_000_000, 5]), count))


def wrapping(count: int) -> list[int]:
    return list(islice(cycle([0, CLOCK_WRAP_MS // 2 - 1, CLOCK_WRAP_MS - 10]), count))


def starting_over_after(samples: int) -> Callable[[int], list[int]]:
    def times(count: int) -> list[int]:
        return [5000 + 10 * (n % samples) for n in range(count)]

    return times


CLOCKS = [
    backwards,
    at_random,
    at_random_within_a_minute,
    alternating,
    wrapping,
    *(starting_over_after(samples) for samples in (1, 2, 6, 20, 49, 50, 60, 110, 500, 999)),
]


def built(samples: SampleArray, step: int = 7) -> tuple[BlockBuilder, int, int]:
    """Have ``samples`` arrive live, ``step`` at a time; return the builder, and how many boots and samples it made."""
    builder = BlockBuilder(DeviceName("b1"), WallClock(lambda: 0, lambda: 0))
    boots, kept = set(), 0
    for start in range(0, samples.size, step):
        for block in builder.build(samples[start : start + step], (start + step) * 10_000_000):
            boots.add(block.boot)
            kept += block.samples.size
    return builder, len(boots), kept + builder.thinned


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_live_stream_begins_few_boots_and_counts_what_it_drops(clock: Callable[[int], list[int]]) -> None:
    samples = samples_at(clock(COUNT), channels=np.arange(6 * COUNT).reshape(COUNT, 6) % 30_000)
    builder, boots, kept = built(samples)
    assert boots <= MOST_BOOTS
    assert builder.late + kept == COUNT


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_file_has_few_recordings_and_no_sample_in_two_of_them(clock: Callable[[int], list[int]]) -> None:
    samples = samples_at(clock(COUNT), channels=np.arange(6 * COUNT).reshape(COUNT, 6) % 30_000)
    recordings, late, untimed = split_samples(samples)
    assert len(recordings) <= MOST_BOOTS
    assert sum(map(len, recordings)) + late.size + untimed.size == COUNT


def test_a_clock_that_runs_backwards_begins_eleven_boots() -> None:
    samples = samples_at(backwards(100_000), channels=np.arange(600_000).reshape(100_000, 6) % 30_000)
    assert built(samples)[1] == len(split_samples(samples).recordings) == 11


@pytest.mark.parametrize("samples", [50, 60, 200])
def test_sixty_reboots_in_a_row_are_all_recorded(samples: int) -> None:
    times = starting_over_after(samples)(60 * samples)
    array = samples_at(times, channels=np.arange(6 * len(times)).reshape(-1, 6) % 30_000)
    recordings, _, untimed = split_samples(array)
    assert (len(recordings), untimed.size) == (60, 0)
    assert built(array)[1] == 60


def test_a_stream_whose_clock_recovers_is_used_again_after_ten_seconds_and_a_file_from_the_first_sample_on() -> None:
    bad, good = backwards(2000), [5_000_000 + 10 * n for n in range(5000)]
    samples = samples_at(bad + good, channels=np.arange(42_000).reshape(7000, 6) % 30_000)
    builder, *_ = built(samples)
    assert builder.clock_usable
    *_, last = split_samples(samples).recordings
    assert len(last) == 5000
    blocks = BlockBuilder(DeviceName("b1"), WallClock(lambda: 0, lambda: 0)).build(samples, 1)
    assert sum(block.samples.size for block in blocks if block.samples["timestamp_ms"][0] <= 9_000_000) == 4001


def test_reboots_far_apart_never_use_up_the_trust() -> None:
    trust = ClockTrust()
    for _ in range(10_000):
        trust.start_over(STEADY_SAMPLES)
    assert trust.usable


def test_a_file_with_mostly_unusable_times_is_refused_with_the_line(tmp_path: Path) -> None:
    rows = "".join(f"{time},{n % 99},2,3,4,5,6,0\n" for n, time in enumerate(backwards(500)))
    with pytest.raises(FileError, match=r"line \d+.*run backwards or at random") as caught:
        parse_log(f"timestamp_ms,ax,ay,az,gx,gy,gz,trigger\n{rows}".encode(), tmp_path / "log.csv")
    assert "\n" not in str(caught.value)


def test_a_file_with_a_part_of_unusable_times_is_read_without_it(tmp_path: Path) -> None:
    times = [*range(0, 30_000, 10), *backwards(500)[1:]]
    rows = "".join(f"{time},{n % 99},2,3,4,5,6,0\n" for n, time in enumerate(times))
    log = parse_log(f"timestamp_ms,ax,ay,az,gx,gy,gz,trigger\n{rows}".encode(), tmp_path / "log.csv")
    assert "run backwards or at random, from line" in log.repairs.messages()[-1]
    assert len(log.recordings[0]) == 3001  # the clock first jumps ahead
