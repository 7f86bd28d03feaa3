from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from models.shared_registry import SharedRegistry
from models.storage.folder import StorageFolder
from service.daemon.registry_follower import RegistryFollower
from stinger.errors import UnavailableError
from stinger.storage_url import StorageUrl, parse_storage_url
from tests.helpers.brokers import until


class Away(StorageFolder):
    """A folder in a storage that can be away."""

    away = False

    def _check(self) -> None:
        if self.away:
            raise UnavailableError(f"{self.url}: the storage cannot be reached: test")

    def find(self, name: str) -> object:  # type: ignore[override] # passes on what it returns
        self._check()
        return super().find(name)

    def list(self, below: str = "") -> list[object]:  # type: ignore[override] # passes on what it returns
        self._check()
        return list(super().list(below))


def mounted(tmp_path: Path) -> StorageUrl:
    (tmp_path / "mounted").mkdir(exist_ok=True)
    return parse_storage_url(f"file://{tmp_path}/mounted")


@asynccontextmanager
async def following(
    tmp_path: Path, storage: StorageFolder, *, away_s: float = 60.0
) -> AsyncIterator[tuple[SharedRegistry, list[str]]]:
    problems: list[str] = []
    copy = SharedRegistry(storage, tmp_path / "copy")
    follower = RegistryFollower(copy, on_problem=problems.append, poll_s=0.02, away_s=away_s, longest_retry_s=0.02)
    task = asyncio.create_task(follower.run())
    try:
        yield copy, problems
    finally:
        task.cancel()
        await asyncio.wait([task])


def promoted(tmp_path: Path, name: str) -> str:
    registry = SharedRegistry(StorageFolder(mounted(tmp_path)), tmp_path / "another machine")
    version = registry.add(name, name.encode(), {})
    registry.promote(version.id, why="")
    return version.id


def champion_of(registry: SharedRegistry) -> str | None:
    champion = registry.champion()
    return None if champion is None else champion.id


async def test_a_champion_promoted_elsewhere_is_copied(tmp_path: Path) -> None:
    async with following(tmp_path, StorageFolder(mounted(tmp_path))) as (copy, problems):
        for name in ("a", "b"):
            version = await asyncio.to_thread(promoted, tmp_path, name)
            await until(lambda version=version: champion_of(copy) == version)  # type: ignore[misc] # bound for the loop
    assert not any(problems)


async def test_the_last_champion_stays_while_the_storage_is_away_and_is_followed_again_afterwards(
    tmp_path: Path,
) -> None:
    first = promoted(tmp_path, "a")
    storage = Away(mounted(tmp_path))
    async with following(tmp_path, storage, away_s=0.05) as (copy, problems):
        await until(lambda: champion_of(copy) == first)
        storage.away = True
        await until(lambda: any(problems))
        assert "the shared registry cannot be read, the model in use stays: file://" in next(filter(None, problems))
        assert champion_of(copy) == first
        second = await asyncio.to_thread(promoted, tmp_path, "b")
        storage.away = False
        await until(lambda: champion_of(copy) == second)
        await until(lambda: problems[-1] == "")


async def test_a_short_outage_is_no_alarm(tmp_path: Path) -> None:
    promoted(tmp_path, "a")
    storage = Away(mounted(tmp_path))
    async with following(tmp_path, storage) as (_, problems):
        await until(lambda: bool(problems))
        storage.away = True
        await asyncio.sleep(0.15)
    assert not any(problems)


async def test_a_damaged_champion_is_an_alarm_at_once(tmp_path: Path) -> None:
    version = promoted(tmp_path, "a")
    (tmp_path / "mounted" / "versions" / version / "model.onnx").write_bytes(b"damaged")
    async with following(tmp_path, StorageFolder(mounted(tmp_path))) as (_, problems):
        await until(lambda: any("is not the model file that was stored" in problem for problem in problems))


async def test_a_start_waits_for_the_registry_for_a_limited_time(tmp_path: Path) -> None:
    storage = Away(mounted(tmp_path))
    storage.away = True
    copy = SharedRegistry(storage, tmp_path / "copy")
    await RegistryFollower(copy, on_problem=lambda _: None).read_at_start(at_most_s=5)
    storage.away = False
    promoted(tmp_path, "a")
    await RegistryFollower(copy, on_problem=lambda _: None).read_at_start(at_most_s=5)
    assert copy.champion() is not None
