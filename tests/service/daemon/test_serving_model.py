from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from models.choice import CHAMPION, FACTORY, ChosenModel, choose_model, choose_model_that_works, choose_stored_model
from models.factory import factory_model
from models.registry import Registry
from service.daemon.serving_model import Choose, ServingModel
from stinger.errors import InputError
from tests.helpers.patience import PATIENCE_S


@asynccontextmanager
async def following(
    registry: Registry, choose: Choose = choose_stored_model
) -> AsyncIterator[tuple[list[ChosenModel], list[str]]]:
    """Follow the champion; the models that come into use, and the problems."""
    async with running(registry, CHAMPION, choose) as (_, used, problems):
        yield used, problems


@asynccontextmanager
async def running(
    registry: Registry, choice: str, choose: Choose = choose_stored_model
) -> AsyncIterator[tuple[ServingModel, list[ChosenModel], list[str]]]:
    used: list[ChosenModel] = []
    problems: list[str] = []
    model = ServingModel(
        choice,
        choose_model(choice, registry),
        registry,
        on_change=used.append,
        on_problem=problems.append,
        choose=choose,
    )
    task = asyncio.create_task(model.follow(every_s=0.01))
    try:
        yield model, used, problems
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: list[object] | list[ChosenModel] | list[str], count: int = 1) -> None:
    async with asyncio.timeout(PATIENCE_S):
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
    async with following(registry) as (used, problems):
        registry.promote(second, why="")
        await until(used)
        registry.roll_back(why="")
        await until(used, 2)
    assert [serving.version for serving in used] == [second, first]
    assert problems == []


async def test_champion_that_cannot_be_used_is_reported_once_and_a_better_one_still_used(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    bad, good = registry.add("bad", b"garbage", {}).id, registry.add("good", factory_model().data, {}).id
    async with following(registry) as (used, problems):
        registry.promote(bad, why="")
        await until(problems)
        await asyncio.sleep(0.1)
        assert used == []
        assert len(problems) == 1
        registry.promote(good, why="")
        await until(used)
    assert [serving.version for serving in used] == [good]


async def test_missing_champion_keeps_the_model_in_use(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.add("m", factory_model().data, {})
    async with following(registry) as (used, problems):
        (tmp_path / "champion").write_text("gone\n")
        await until(problems)
    assert used == []
    assert "gone" in problems[0]


async def test_problem_ends_when_the_model_in_use_is_the_champion_again(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    good, bad = registry.add("good", factory_model().data, {}).id, registry.add("bad", b"garbage", {}).id
    registry.promote(good, why="")
    async with following(registry) as (used, problems):
        registry.promote(bad, why="")
        await until(problems)
        registry.roll_back(why="")
        await until(problems, 2)
    assert used == []
    assert problems[0] != ""
    assert problems[1] == ""


async def test_any_exception_while_a_champion_is_opened_is_a_problem_and_following_continues(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    first, second = (registry.add(name, factory_model().data, {}).id for name in ("a", "b"))
    broken = True

    def choose(choice: str, registry: Registry) -> ChosenModel:
        if broken:
            raise MemoryError("no room")
        return choose_model(choice, registry)

    async with following(registry, choose) as (used, problems):
        registry.promote(first, why="")
        await until(problems)
        assert problems == ["the champion cannot be opened: MemoryError('no room')"]
        broken = False
        registry.promote(second, why="")
        await until(used)
    assert [serving.version for serving in used][-1] == second


async def test_chosen_model_stays_until_the_champion_is_chosen_again(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    first, second = (registry.add(name, factory_model().data, {}).id for name in ("a", "b"))
    async with running(registry, CHAMPION) as (model, used, _):
        await model.choose(first)
        registry.promote(second, why="")
        await asyncio.sleep(0.1)
        assert [serving.version for serving in used] == [first]
        await model.choose(CHAMPION)
        assert model.serving.version == second


async def test_champion_chosen_after_another_first_choice_is_followed_as_well(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    version = registry.add("m", factory_model().data, {}).id
    async with running(registry, FACTORY) as (model, used, _):
        await model.choose(CHAMPION)
        registry.promote(version, why="")
        await until(used, 2)
    assert model.serving.version == version


async def test_check_that_began_before_a_choice_changes_nothing(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    first, second = (registry.add(name, factory_model().data, {}).id for name in ("a", "b"))
    checking, chosen = threading.Event(), threading.Event()

    def slow(choice: str, registry: Registry) -> ChosenModel:
        found = choose_model(choice, registry)
        if found.version == first:
            checking.set()
            assert chosen.wait(PATIENCE_S)
        return found

    async with running(registry, CHAMPION, slow) as (model, used, _):
        registry.promote(first, why="")
        assert await asyncio.to_thread(checking.wait, PATIENCE_S)
        registry.promote(second, why="")
        await model.choose(CHAMPION)
        chosen.set()
        await asyncio.sleep(0.1)
    assert [serving.version for serving in used] == [second]


async def test_choosing_a_model_ends_the_problem_with_the_champion(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    bad = registry.add("bad", b"garbage", {}).id
    async with running(registry, CHAMPION) as (model, _, problems):
        registry.promote(bad, why="")
        await until(problems)
        await model.choose(FACTORY)
    assert problems[1:] == [""]


async def test_choice_that_cannot_serve_changes_nothing(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    async with running(registry, CHAMPION) as (model, used, _):
        with pytest.raises(InputError):
            await model.choose("nothing")
        version = registry.add("m", factory_model().data, {}).id
        registry.promote(version, why="")
        await until(used)  # the champion is still followed


async def test_path_is_refused_whether_or_not_it_leads_to_a_model(tmp_path: Path) -> None:
    (tmp_path / "own.onnx").write_bytes(factory_model().data)
    messages = set()
    async with running(Registry(tmp_path / "registry"), CHAMPION) as (model, used, _):
        for choice in (tmp_path / "own.onnx", tmp_path / "none.onnx", tmp_path, "/dev/ptmx", "/etc/passwd"):
            with pytest.raises(InputError) as refused:
                await model.choose(str(choice))
            messages.add(str(refused.value))
    assert used == []
    assert len(messages) == 1


async def test_model_that_is_never_opened_keeps_no_other_thread_busy(tmp_path: Path) -> None:
    opened, finish = threading.Event(), threading.Event()

    def hang(choice: str, registry: Registry) -> ChosenModel:
        opened.set()
        assert finish.wait(PATIENCE_S)
        return choose_model(choice, registry)

    async with running(Registry(tmp_path), FACTORY, hang) as (model, used, _):
        choosing = asyncio.create_task(model.choose(FACTORY))
        assert await asyncio.to_thread(opened.wait, PATIENCE_S)
        choosing.cancel()
        await asyncio.wait({choosing})
        for _attempt in range(3):
            with pytest.raises(InputError, match="another model is still being opened"):
                await model.choose(FACTORY)
        assert used == []
        finish.set()
        async with asyncio.timeout(PATIENCE_S):
            while not used:
                with suppress(InputError):
                    await model.choose(FACTORY)
                await asyncio.sleep(0.005)


async def test_problem_at_the_start_ends_when_the_champion_can_be_used(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    version = registry.add("m", factory_model().data, {})
    registry.promote(version.id, why="")
    whole = version.model_path.read_bytes()
    version.model_path.write_bytes(b"")
    chosen, problem = choose_model_that_works(CHAMPION, registry)
    problems: list[str] = []
    used: list[ChosenModel] = []
    model = ServingModel(CHAMPION, chosen, registry, on_change=used.append, on_problem=problems.append, problem=problem)
    task = asyncio.create_task(model.follow(every_s=0.01))
    await asyncio.sleep(0.1)
    assert problems == [problem]
    version.model_path.write_bytes(whole)
    await until(used)
    task.cancel()
    await asyncio.wait([task])
    assert used[0].version == version.id
    assert problems == [problem, ""]


async def test_champion_that_failed_is_tried_again_only_after_a_change_or_a_while(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    champion = registry.add("m", factory_model().data, {})
    broken, attempts = True, 0

    def choose(choice: str, registry: Registry) -> ChosenModel:
        nonlocal attempts
        attempts += 1
        if broken:
            raise InputError("too large")
        return choose_model(choice, registry)

    async with following(registry, choose) as (used, problems):
        registry.promote(champion.id, why="")
        await until(problems)
        await asyncio.sleep(0.2)
        assert attempts == 1
        broken = False
        champion.model_path.touch()
        await until(used)
    assert attempts == 2
