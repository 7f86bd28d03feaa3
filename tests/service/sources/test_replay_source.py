from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from replay.schedule import BETWEEN_BOOTS_MS
from service.base.source import Block, LinkState, Source
from service.config.source_url import ReplayUrl, parse_source_url
from service.sources.build import build_device_source
from service.sources.replay_source import ReplaySource
from stinger.device_name import DeviceName
from stinger.errors import FileError
from stinger.logs import read_log, write_log
from stinger.sample import CLOCK_WRAP_MS, SampleArray
from tests.helpers.patience import PATIENCE_S
from tests.helpers.samples import counting_samples
from tests.service.sources.collecting import Collecting, running


def write(path: Path, *parts: SampleArray) -> Path:
    write_log(path, np.concatenate(parts))
    return path


def replay_source(path: Path, options: str) -> Source:
    url = parse_source_url(f"replay:{path}?{options}")
    assert isinstance(url, ReplayUrl)
    return build_device_source(url)


async def play(path: Path, options: str, intake: Collecting) -> float:
    """Play to the end; return how long it took, in seconds."""
    source = replay_source(path, options)
    begin = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        await source.run(intake)
    return time.monotonic() - begin


@pytest.mark.parametrize("pace_s", [None, 0.001])
async def test_speed_0_loses_nothing_whether_the_intake_is_fast_or_slow(tmp_path: Path, pace_s: float | None) -> None:
    samples = counting_samples(77, 50_000)
    intake = Collecting(pace_s=pace_s)
    await play(write(tmp_path / "log.bin", samples), "speed=0", intake)
    assert intake.samples.tobytes() == samples.tobytes()
    assert len(intake.blocks) < 20
    taken = np.concatenate([block.taken_s for block in intake.blocks])
    assert np.diff(taken) == pytest.approx(0.01, abs=1e-5)
    assert taken[-1] <= time.time()
    assert intake.states == [LinkState.STREAMING, LinkState.ENDED]
    assert intake.reports[-1].counters.samples == samples.size


async def test_samples_are_played_at_their_own_times_with_pauses_and_without_drift(tmp_path: Path) -> None:
    samples = np.concatenate([counting_samples(0, 50), counting_samples(3000, 50)])  # 3.5 s, with a pause in the middle
    intake = Collecting()
    path = write(tmp_path / "log.bin", samples)
    began_s = time.monotonic()
    took_s = await play(path, "speed=10", intake)
    assert intake.samples.tobytes() == samples.tobytes()
    assert took_s >= 0.349
    due_s = samples["timestamp_ms"].astype(np.float64) / 1e4
    taken_s = np.concatenate([block.taken_s for block in intake.blocks])
    assert taken_s - taken_s[0] == pytest.approx(due_s, abs=1e-3)
    read_s = np.concatenate([np.full(block.samples.size, block.read_ns / 1e9) for block in intake.blocks])
    assert (read_s - began_s >= due_s).all()  # never early; how late it is depends on the machine


async def test_stalled_intake_is_caught_up_with(tmp_path: Path) -> None:
    samples = counting_samples(0, 100)
    await play(write(tmp_path / "log.bin", samples), "speed=10", intake := Collecting(pace_s=0.03))
    assert intake.samples.tobytes() == samples.tobytes()
    assert len(intake.blocks) < 60  # those that became due during a stall come together


class Busy(Collecting):
    """Blocks the event loop for every block."""

    async def put(self, block: Block) -> None:
        time.sleep(0.001)  # noqa: ASYNC251 - blocking is the point
        await super().put(block)


@pytest.mark.parametrize("speed", ["0", "1000"])
async def test_other_tasks_run_while_more_is_due_than_can_be_taken(tmp_path: Path, speed: str) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    intake = Busy()
    await play(write(tmp_path / "log.bin", counting_samples(0, 50_000)), f"speed={speed}", intake)
    task.cancel()
    assert turns >= len(intake.blocks) > 10


async def test_every_boot_and_wrap_in_a_log_is_another_boot(tmp_path: Path) -> None:
    wrapping = counting_samples(CLOCK_WRAP_MS - 50, 300)
    path = write(tmp_path / "log.bin", wrapping, counting_samples(0, 5))
    intake = Collecting()
    took_s = await play(path, "speed=20", intake)
    assert intake.samples.tobytes() == read_log(path).samples.tobytes()
    assert [block.boot for block in intake.blocks for _ in block.samples] == [0] * 5 + [1] * 295 + [2] * 5
    for block in intake.blocks:
        assert (np.diff(block.samples["timestamp_ms"].astype(np.int64)) >= 0).all()
    assert took_s >= BETWEEN_BOOTS_MS / 1000 / 20


async def test_recording_at_another_rate_is_played_in_full_and_not_scored(tmp_path: Path) -> None:
    samples = counting_samples(0, 200, 20)
    intake = Collecting()
    await play(write(tmp_path / "log.bin", samples), "speed=0", intake)
    assert intake.samples.tobytes() == samples.tobytes()
    assert {block.rate_problem for block in intake.blocks} == {"50 samples a second; models take 100"}
    assert "not scored: it has 50 samples a second; models take 100" in {report.reason for report in intake.reports}
    assert intake.reports[-1].counters.unscored == 200


async def test_every_repetition_is_another_boot(tmp_path: Path) -> None:
    samples = counting_samples(100, 10)
    path = write(tmp_path / "log.bin", samples)
    for options, times in [("speed=0", 1), ("speed=0&loop=0", 1), ("speed=0&loop=2", 3), ("speed=100&loop=2", 3)]:
        intake = Collecting()
        await play(path, options, intake)
        assert intake.samples.tobytes() == samples.tobytes() * times
        assert sorted({block.boot for block in intake.blocks}) == list(range(times))


async def test_endless_loop_ends_when_cancelled(tmp_path: Path) -> None:
    path = write(tmp_path / "log.bin", counting_samples(0, 10))
    intake = Collecting()
    async with running(replay_source(path, "speed=0&loop=forever"), intake):
        await intake.until_samples(1000)


async def test_missing_or_foreign_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        await ReplaySource("", DeviceName("x"), tmp_path / "no.bin").run(Collecting())
    (tmp_path / "text.csv").write_text("hello\n")
    with pytest.raises(FileError, match="is not the header of a log"):
        await ReplaySource("", DeviceName("x"), tmp_path / "text.csv").run(Collecting())


async def test_real_recording_is_played_completely(capture_csv: Path) -> None:
    intake = Collecting()
    await play(capture_csv, "speed=0", intake)
    assert intake.samples.tobytes() == read_log(capture_csv).samples.tobytes()
