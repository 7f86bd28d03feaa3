from __future__ import annotations

import numpy as np
import pytest

from service.base.source import Block
from service.base.wall_clock import WallClock
from service.sources.block_builder import BlockBuilder
from stinger.device_name import DeviceName
from stinger.sample import CLOCK_WRAP_MS
from tests.helpers.samples import samples_at

MS = 1_000_000


class Device:
    """Sends samples to a block builder and collects the blocks."""

    def __init__(self, wall: WallClock | None = None) -> None:
        self.builder = BlockBuilder(DeviceName("blaster"), wall or WallClock(lambda: 0, lambda: 0))
        self.blocks: list[Block] = []

    def send(self, times_ms: list[int], read_ms: float) -> list[Block]:
        made = self.builder.build(samples_at(times_ms), int(read_ms * MS))
        self.blocks += made
        return made

    @property
    def times_ms(self) -> list[int]:
        return [time for block in self.blocks for time in block.samples["timestamp_ms"].tolist()]

    @property
    def boots(self) -> list[int]:
        return [block.boot for block in self.blocks]


def stream(device: Device, first_ms: int, count: int, read_ms: float, step_ms: int = 10) -> None:
    for i in range(count):
        device.send([(first_ms + i * step_ms) % CLOCK_WRAP_MS], read_ms + i * step_ms)


@pytest.mark.parametrize("steps", [[10], [9, 11], [10, 10, 9, 10, 11], [7, 13]])
def test_samples_near_100_hz_are_all_kept(steps: list[int]) -> None:
    device = Device()
    times = np.cumsum(steps * 50).tolist()
    device.send(times, times[-1])
    assert device.times_ms == times


@pytest.mark.parametrize("rate_hz", [200, 400, 800, 1600])
def test_faster_streams_are_thinned_to_100_hz(rate_hz: int) -> None:
    device = Device()
    times = np.floor(np.arange(10 * rate_hz) * 1000 / rate_hz).astype(int).tolist()
    for start in range(0, len(times), 37):
        device.send(times[start : start + 37], times[min(start + 37, len(times)) - 1])
    assert device.times_ms == list(range(0, 10_000, 10))


def test_reboot_within_a_block_splits_it_and_restarts_the_clock() -> None:
    device = Device()
    stream(device, 50_000, 100, 1000)
    made = device.send([51_000, 51_010, 0, 10, 20], 2020)
    assert [block.boot for block in made] == [0, 1]
    assert [block.samples.shape[0] for block in made] == [2, 3]
    stream(device, 30, 10, 2030)
    assert device.blocks[-1].taken_s[-1] == pytest.approx(2.12, abs=1e-3)


def test_wrap_of_the_clock_is_another_boot_and_time_continues() -> None:
    device = Device()
    stream(device, CLOCK_WRAP_MS - 1000, 200, 1000)
    assert set(device.boots) == {0, 1}
    taken = np.concatenate([block.taken_s for block in device.blocks])
    assert np.diff(taken) == pytest.approx(0.01, abs=1e-4)


def test_late_and_repeated_samples_are_dropped_and_counted() -> None:
    device = Device()
    device.send([0, 10, 20, 20, 10, 30, 40], 40)
    assert device.times_ms == [0, 10, 20, 30, 40]
    assert device.builder.late == 2
    assert device.boots == [0]


def test_reboot_soon_after_a_boot_is_detected() -> None:
    device = Device()
    stream(device, 0, 50, 1000)
    stream(device, 0, 50, 3000)
    assert device.boots[-1] == 1
    assert device.builder.late == 4


def test_reopened_link_continues_the_same_boot() -> None:
    device = Device()
    stream(device, 1000, 100, 5000)
    device.builder.link_reopened()
    stream(device, 62_000, 100, 66_000)
    assert set(device.boots) == {0}


def test_reopened_link_with_an_unexpected_clock_is_another_boot() -> None:
    device = Device()
    stream(device, 1000, 100, 5000)
    device.builder.link_reopened()
    stream(device, 62_000, 100, 600_000)  # ahead of the last sample, but nine minutes behind what is expected
    assert device.boots[-1] == 1
    assert device.blocks[-1].taken_s[-1] == pytest.approx(600.99, abs=1e-3)


def test_taken_time_never_goes_back_and_is_never_after_the_reading() -> None:
    device = Device()
    rng = np.random.default_rng(3)
    read_ms = 0.0
    for first in range(0, 20_000, 50):
        read_ms = max(read_ms, first + 40 + rng.exponential(20))
        device.send(list(range(first, first + 50, 10)), read_ms)
    taken = np.concatenate([block.taken_s for block in device.blocks])
    assert (np.diff(taken) >= 0).all()
    assert all(block.taken_s[-1] * 1e9 <= block.read_ns + 1 for block in device.blocks)
