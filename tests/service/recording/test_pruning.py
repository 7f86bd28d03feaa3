from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from models.registry import Registry
from service.recording.pruning import prune_periodically
from service.recording.retention import Limits, Pruned, Retention
from tests.helpers.brokers import until
from tests.helpers.recordings import write_old_recording

OLD_DAYS = 400.0


@asynccontextmanager
async def pruning(
    folder: Path, limits: Limits, *, interval_s: float = 60
) -> AsyncIterator[tuple[asyncio.Event, list[Pruned]]]:
    now = asyncio.Event()
    done: list[Pruned] = []
    retention = Retention(folder, Registry(folder / "none"))
    task = asyncio.create_task(prune_periodically(retention, lambda: limits, now, done.append, interval_s=interval_s))
    try:
        yield now, done
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_old_recordings_are_deleted_at_the_start(tmp_path: Path) -> None:
    old = write_old_recording(tmp_path, "a", OLD_DAYS)
    write_old_recording(tmp_path, "a", OLD_DAYS - 1)
    async with pruning(tmp_path, Limits(keep_s=60)) as (_, done):
        await until(lambda: bool(done))
    assert not old.exists()
    assert (done[0].left, len(done[0].deleted)) == (1, 1)


async def test_recordings_that_appear_later_are_deleted_in_a_later_round(tmp_path: Path) -> None:
    async with pruning(tmp_path, Limits(keep_s=60), interval_s=0.01) as (_, done):
        await until(lambda: bool(done))
        old = write_old_recording(tmp_path, "a", OLD_DAYS)
        write_old_recording(tmp_path, "a", OLD_DAYS - 1)
        await until(lambda: not old.exists())


async def test_pruning_runs_at_once_on_request(tmp_path: Path) -> None:
    async with pruning(tmp_path, Limits(keep_s=60)) as (now, done):
        await until(lambda: bool(done))
        old = write_old_recording(tmp_path, "a", OLD_DAYS)
        write_old_recording(tmp_path, "a", OLD_DAYS - 1)
        now.set()
        await until(lambda: not old.exists())


async def test_round_that_fails_is_a_problem_and_the_next_one_prunes(tmp_path: Path) -> None:
    old = write_old_recording(tmp_path, "a", OLD_DAYS)
    write_old_recording(tmp_path, "a", OLD_DAYS - 1)
    failures = [RuntimeError("no limits today")]
    done: list[Pruned] = []

    def limits() -> Limits:
        if failures:
            raise failures.pop()
        return Limits(keep_s=60)

    retention = Retention(tmp_path, Registry(tmp_path / "none"))
    task = asyncio.create_task(prune_periodically(retention, limits, asyncio.Event(), done.append, interval_s=0.01))
    try:
        await until(lambda: len(done) >= 2)  # the file is deleted before the round is reported
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert "no limits today" in done[0].problems[0]
    assert done[1].problems == ()
    assert not old.exists()
