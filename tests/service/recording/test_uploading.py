from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from models.storage.folder import StorageFolder
from service.recording.upload_queue import UploadQueue
from service.recording.uploading import Uploading, upload_queue
from stinger.storage_url import StorageUrl, parse_storage_url
from tests.helpers.brokers import until
from tests.helpers.recordings import write_old_recording


@asynccontextmanager
async def uploading(
    data_dir: Path, url: StorageUrl, *, lag_s: float = 600.0
) -> AsyncIterator[tuple[Uploading, list[str]]]:
    problems: list[str] = []
    run = Uploading(
        url,
        partial(upload_queue, data_dir, StorageFolder(url)),
        on_problem=problems.append,
        look_s=0.02,
        lag_s=lag_s,
        longest_retry_s=0.05,
    )
    task = asyncio.create_task(run.run())
    try:
        yield run, problems
    finally:
        task.cancel()
        await asyncio.wait([task])


def mounted(tmp_path: Path) -> StorageUrl:
    """Return the URL of a mounted folder, an empty one unless there is something at its place."""
    if not (tmp_path / "mounted").exists():
        (tmp_path / "mounted").mkdir()
    return parse_storage_url(f"file://{tmp_path}/mounted")


def uploaded(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.bin"))


async def test_recordings_that_appear_are_uploaded_to_the_daemons_own_folder(tmp_path: Path) -> None:
    url = mounted(tmp_path)
    async with uploading(tmp_path / "data", url) as (run, _):
        write_old_recording(tmp_path / "data" / "recordings", "a", 2)
        await until(lambda: run.totals().uploaded == 1)
    (path,) = uploaded(tmp_path / "mounted")
    assert path.parent.parent.name == (tmp_path / "data" / "daemon-id").read_text().strip()


async def test_two_daemons_that_recorded_the_same_moment_do_not_collide(tmp_path: Path) -> None:
    url = mounted(tmp_path)
    for daemon, samples in (("one", 100), ("two", 200)):
        write_old_recording(tmp_path / daemon / "recordings", "a", 2, samples=samples)
        path = next((tmp_path / daemon / "recordings").rglob("*.bin"))
        path.rename(path.with_name("20261122T120000.000Z.bin"))
        sidecar = next((tmp_path / daemon / "recordings").rglob("*.json"))
        sidecar.rename(sidecar.with_name("20261122T120000.000Z.json"))
    for daemon in ("one", "two"):
        async with uploading(tmp_path / daemon, url) as (run, _):
            await until(lambda run=run: run.totals().uploaded == 1)  # type: ignore[misc] # bound for the loop
    assert sorted(path.stat().st_size for path in uploaded(tmp_path / "mounted")) == [1700, 3400]


async def test_a_storage_that_is_away_is_tried_again_until_it_works(tmp_path: Path) -> None:
    (tmp_path / "mounted").write_text("not a folder")
    write_old_recording(tmp_path / "data" / "recordings", "a", 2)
    async with uploading(tmp_path / "data", mounted(tmp_path)) as (run, problems):
        await until(lambda: run.totals().failures >= 3)
        assert problems == [""] * len(problems)  # no alarm yet
        (tmp_path / "mounted").unlink()
        (tmp_path / "mounted").mkdir()
        await until(lambda: run.totals().uploaded == 1)


async def test_an_upload_that_lags_is_reported_with_its_reason_until_it_is_done(tmp_path: Path) -> None:
    (tmp_path / "mounted").write_text("not a folder")
    write_old_recording(tmp_path / "data" / "recordings", "a", 2)
    url = mounted(tmp_path)
    async with uploading(tmp_path / "data", url, lag_s=0.06) as (_, problems):
        await until(lambda: any(problems))
        found = next(problem for problem in problems if problem)
        assert found.startswith("recordings have waited for their upload for more than 0.001 min: file://")
        (tmp_path / "mounted").unlink()
        (tmp_path / "mounted").mkdir()
        await until(lambda: problems[-1] == "")


async def test_a_data_folder_that_cannot_be_read_does_not_end_uploading(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "daemon-id").write_text("?!")
    write_old_recording(tmp_path / "data" / "recordings", "a", 2)
    async with uploading(tmp_path / "data", mounted(tmp_path)) as (run, _):
        await asyncio.sleep(0.1)
        (tmp_path / "data" / "daemon-id").unlink()
        await until(lambda: run.totals().uploaded == 1)


async def test_a_queue_that_cannot_be_opened_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "daemon-id").write_text("?!")
    url = mounted(tmp_path)
    async with uploading(tmp_path / "data", url, lag_s=0.05) as (_, problems):
        await until(lambda: any("daemon-id: does not hold the id of a daemon" in problem for problem in problems))


async def test_a_fault_of_the_program_is_logged_and_tried_again() -> None:
    calls = 0

    def broken() -> UploadQueue:
        nonlocal calls
        calls += 1
        raise RuntimeError("broken")

    run = Uploading(
        parse_storage_url("memory://x/y"), broken, on_problem=lambda _: None, look_s=0.01, longest_retry_s=0.02
    )
    task = asyncio.create_task(run.run())
    await until(lambda: calls >= 2)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])
