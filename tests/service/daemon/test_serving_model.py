from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from models.choice import CHAMPION, FACTORY, ChosenModel, choose_model
from models.factory import factory_model
from models.registry import Registry
from service.daemon.serving_model import ServingModel
from stinger.errors import InputError


@asynccontextmanager
async def following(registry: Registry, choice: str = CHAMPION) -> AsyncIterator[tuple[list[ChosenModel], list[str]]]:
    """What was used and what was in trouble, of a model that is followed from ``choice`` on."""
    async with at_work(registry, choice) as (_, used, troubles):
        yield used, troubles


@asynccontextmanager
async def at_work(registry: Registry, choice: str) -> AsyncIterator[tuple[ServingModel, list[ChosenModel], list[str]]]:
    used: list[ChosenModel] = []
    troubles: list[str] = []
    model = ServingModel(choice, registry, on_change=used.append, on_trouble=troubles.append)
    task = asyncio.create_task(model.follow(every_s=0.01))
    try:
        yield model, used, troubles
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: list[object] | list[ChosenModel] | list[str], count: int = 1) -> None:
    async with asyncio.timeout(10):
        while len(condition) < count:
            await asyncio.sleep(0.005)


def test_without_a_champion_the_factory_model_serves(tmp_path: Path) -> None:
    assert choose_model("champion", Registry(tmp_path)).version == FACTORY
    assert choose_model("factory", Registry(tmp_path)).model.sha256 == factory_model().sha256


def test_champion_version_and_file_can_be_chosen(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    version = registry.add("m", factory_model().data, {})
    registry.promote(version.id, why="")
    assert choose_model("champion", registry).version == version.id
    assert choose_model(version.id, registry).version == version.id
    (tmp_path / "own.onnx").write_bytes(factory_model().data)
    assert choose_model(str(tmp_path / "own.onnx"), registry).version.startswith("own-")


@pytest.mark.parametrize("choice", ["nothing", "nothing.onnx"])
def test_model_that_is_not_there_is_an_input_error(tmp_path: Path, choice: str) -> None:
    with pytest.raises(InputError):
        choose_model(choice, Registry(tmp_path))


async def test_new_champion_is_used_and_a_roll_back_as_well(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    first, second = (registry.add(name, factory_model().data, {}).id for name in ("a", "b"))
    registry.promote(first, why="")
    async with following(registry) as (used, complaints):
        registry.promote(second, why="")
        await until(used)
        registry.roll_back(why="")
        await until(used, 2)
    assert [serving.version for serving in used] == [second, first]
    assert complaints == []


async def test_champion_that_cannot_serve_is_complained_of_once_and_a_better_one_still_used(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    bad, good = registry.add("bad", b"garbage", {}).id, registry.add("good", factory_model().data, {}).id
    async with following(registry) as (used, complaints):
        registry.promote(bad, why="")
        await until(complaints)
        await asyncio.sleep(0.1)
        assert used == []
        assert len(complaints) == 1
        registry.promote(good, why="")
        await until(used)
    assert [serving.version for serving in used] == [good]


async def test_registry_whose_champion_is_gone_keeps_what_serves(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.add("m", factory_model().data, {})
    async with following(registry) as (used, complaints):
        (tmp_path / "champion").write_text("gone\n")
        await until(complaints)
    assert used == []
    assert "gone" in complaints[0]


async def test_complaint_ends_when_what_serves_is_the_champion_again(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    good, bad = registry.add("good", factory_model().data, {}).id, registry.add("bad", b"garbage", {}).id
    registry.promote(good, why="")
    async with following(registry) as (used, complaints):
        registry.promote(bad, why="")
        await until(complaints)
        registry.roll_back(why="")
        await until(complaints, 2)
    assert used == []
    assert complaints[0] != ""
    assert complaints[1] == ""


async def test_any_trouble_with_a_champion_is_a_complaint_and_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(tmp_path)
    first, second = (registry.add(name, factory_model().data, {}).id for name in ("a", "b"))

    def broken(*_: object) -> ChosenModel:
        raise MemoryError("no room")

    async with following(registry) as (used, complaints):
        with monkeypatch.context() as patch:
            patch.setattr("service.daemon.serving_model.choose_model", broken)
            registry.promote(first, why="")
            await until(complaints)
        assert complaints == ["the champion cannot be opened: MemoryError('no room')"]
        registry.promote(second, why="")
        await until(used)
    assert [serving.version for serving in used][-1] == second


async def test_a_model_that_somebody_chose_stays_until_the_champion_is_chosen_again(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    first, second = (registry.add(name, factory_model().data, {}).id for name in ("a", "b"))
    async with at_work(registry, CHAMPION) as (model, used, _):
        await model.choose(first)
        registry.promote(second, why="")
        await asyncio.sleep(0.1)
        assert [serving.version for serving in used] == [first]
        await model.choose(CHAMPION)
        assert model.serving.version == second


async def test_champion_chosen_after_another_first_choice_is_followed_as_well(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    version = registry.add("m", factory_model().data, {}).id
    async with at_work(registry, FACTORY) as (model, used, _):
        await model.choose(CHAMPION)
        registry.promote(version, why="")
        await until(used, 2)
    assert model.serving.version == version


async def test_a_look_that_began_before_a_choice_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(tmp_path)
    first, second = (registry.add(name, factory_model().data, {}).id for name in ("a", "b"))
    looking, chosen = threading.Event(), threading.Event()

    def slow(choice: str, registry: Registry) -> ChosenModel:
        found = choose_model(choice, registry)
        if found.version == first:
            looking.set()
            assert chosen.wait(10)
        return found

    async with at_work(registry, CHAMPION) as (model, used, _):
        monkeypatch.setattr("service.daemon.serving_model.choose_model", slow)
        registry.promote(first, why="")
        await asyncio.to_thread(looking.wait, 10)
        registry.promote(second, why="")
        await model.choose(CHAMPION)
        chosen.set()
        await asyncio.sleep(0.1)
    assert [serving.version for serving in used] == [second]


async def test_choosing_a_model_ends_the_trouble_with_the_champion(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    bad = registry.add("bad", b"garbage", {}).id
    async with at_work(registry, CHAMPION) as (model, _, troubles):
        registry.promote(bad, why="")
        await until(troubles)
        await model.choose(FACTORY)
    assert troubles[1:] == [""]


async def test_choice_that_cannot_serve_changes_nothing(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    async with at_work(registry, CHAMPION) as (model, used, _):
        with pytest.raises(InputError):
            await model.choose("nothing")
        version = registry.add("m", factory_model().data, {}).id
        registry.promote(version, why="")
        await until(used)  # it is still followed
