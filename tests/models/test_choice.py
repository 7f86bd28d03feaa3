"""Which model serves if the chosen one is damaged, and what a name from the network may open."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from models.choice import CHAMPION, FACTORY, choose_model, choose_model_that_works, choose_stored_model
from models.factory import factory_model
from models.model_file import probe_windows
from models.registry import Registry
from stinger.errors import InputError

DAMAGED_REGISTRIES = int(os.environ.get("DAMAGED_REGISTRIES", "60"))


def registry_with_champions(folder: Path, *names: str) -> tuple[Registry, list[str]]:
    """A registry in which models of these names were promoted, one after another."""
    registry = Registry(folder)
    ids = [registry.add(name, factory_model().data, {}).id for name in names]
    for version in ids:
        registry.promote(version, why="")
    return registry, ids


def champion_of(folder: Path) -> Path:
    return folder / "versions" / (folder / "champion").read_text().strip()


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGED_NAMES: dict[str, Callable[[Path], object]] = {
    "empty": lambda folder: (folder / "champion").write_bytes(b""),
    "cut off": lambda folder: os.truncate(folder / "champion", 9),
    "no text": lambda folder: (folder / "champion").write_bytes(b"\xff\x00\xfe"),
    "a folder": lambda folder: replace_by_folder(folder / "champion"),
    "missing": lambda folder: (folder / "champion").unlink(),
    "a pipe": lambda folder: replace_by_pipe(folder / "champion"),
    "a link to nothing": lambda folder: replace_by_link(folder / "champion"),
    "extended by zeros": lambda folder: os.truncate(folder / "champion", 2**30),
}
DAMAGED_MODELS: dict[str, Callable[[Path], object]] = {
    "version deleted": lambda folder: shutil.rmtree(champion_of(folder)),
    "empty": lambda folder: (champion_of(folder) / "model.onnx").write_bytes(b""),
    "cut off": lambda folder: os.truncate(champion_of(folder) / "model.onnx", 500),
    "of another kind": lambda folder: (champion_of(folder) / "model.onnx").write_bytes(b"\x08\x07\x12\x00"),
    "a folder": lambda folder: replace_by_folder(champion_of(folder) / "model.onnx"),
    "a pipe": lambda folder: replace_by_pipe(champion_of(folder) / "model.onnx"),
}
on_unix = pytest.mark.skipif(os.name == "nt", reason="pipes, links and devices as on Unix")


@on_unix
@pytest.mark.parametrize("damage", DAMAGED_NAMES.values(), ids=DAMAGED_NAMES.keys())
@pytest.mark.parametrize("names", [("a",), ("a", "b")], ids=["first", "second"])
def test_champion_of_the_journal_serves_if_the_file_that_names_it_is_damaged(
    tmp_path: Path, damage: Callable[[Path], object], names: tuple[str, ...]
) -> None:
    registry, ids = registry_with_champions(tmp_path, *names)
    damage(tmp_path)
    chosen, problem = choose_model_that_works(CHAMPION, registry)
    assert chosen.version == ids[-1]
    assert problem.startswith(str(tmp_path / "champion"))
    assert "\n" not in problem


@on_unix
@pytest.mark.parametrize("damage", DAMAGED_MODELS.values(), ids=DAMAGED_MODELS.keys())
@pytest.mark.parametrize("names", [("a",), ("a", "b")], ids=["first", "second"])
def test_predecessor_or_the_factory_model_serves_if_the_champions_model_is_damaged(
    tmp_path: Path, damage: Callable[[Path], object], names: tuple[str, ...]
) -> None:
    registry, ids = registry_with_champions(tmp_path, *names)
    damage(tmp_path)
    chosen, problem = choose_model_that_works(CHAMPION, registry)
    assert chosen.version == [FACTORY, *ids][-2]
    assert ids[-1] in problem
    assert "\n" not in problem


@pytest.mark.parametrize("place", [".", "champion", "versions", "journal.jsonl"])
def test_factory_model_serves_if_nothing_in_the_registry_can_be_read(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "registry"
    registry, _ = registry_with_champions(folder, "a", "b")
    (folder / "champion").write_bytes(b"")
    path = folder / place
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.write_bytes(b"\x00\xff")
    chosen, problem = choose_model_that_works(CHAMPION, registry)
    assert chosen.version == FACTORY or place == "champion"
    assert problem


@pytest.mark.timeout(120 + 3 * DAMAGED_REGISTRIES)
def test_damaged_registries_never_keep_a_model_from_serving(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    registry_with_champions(whole, "a", "b", "c")
    rng = random.Random(1)
    for number in range(DAMAGED_REGISTRIES):
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        for path in rng.sample([path for path in sorted(folder.rglob("*")) if path.is_file()], k=rng.randint(1, 4)):
            data = bytearray(path.read_bytes())
            match rng.randrange(4):
                case 0:
                    data = data[: rng.randrange(len(data) + 1)]
                case 1:
                    path.unlink()
                    continue
                case 2:
                    data = bytearray(rng.randbytes(rng.randrange(2000)))
                case _ if data:
                    data[rng.randrange(len(data))] = rng.randrange(256)
            path.write_bytes(data)
        chosen, _ = choose_model_that_works(CHAMPION, Registry(folder))
        assert chosen.model.probability(probe_windows()).shape == (32,)
        shutil.rmtree(folder)


def test_configured_version_that_is_damaged_is_replaced_by_the_factory_model(tmp_path: Path) -> None:
    registry, (only,) = registry_with_champions(tmp_path, "a")
    (tmp_path / "versions" / only / "model.onnx").write_bytes(b"")
    chosen, problem = choose_model_that_works(only, registry)
    assert chosen.version == FACTORY
    assert only in problem


@pytest.mark.parametrize("choice", ["nothing", "nothing.onnx"])
def test_configured_model_that_does_not_exist_is_a_mistake(tmp_path: Path, choice: str) -> None:
    with pytest.raises(InputError):
        choose_model_that_works(choice, Registry(tmp_path))


def test_configured_file_that_is_no_model_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"own\.onnx"):
        choose_model_that_works(str(path), Registry(tmp_path))


@on_unix
@pytest.mark.parametrize("path", ["/dev/ptmx", "/dev/zero", "/dev/null", "/dev/tty", "/", "pipe", "pipe.onnx"])
def test_only_regular_files_are_opened(tmp_path: Path, path: str) -> None:
    for name in ("pipe", "pipe.onnx"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="is not a regular file"):
        choose_model(str(tmp_path / path), Registry(tmp_path))


@pytest.mark.parametrize("there", [True, False])
def test_name_from_the_network_never_opens_a_file_nor_shows_whether_there_is_one(tmp_path: Path, there: bool) -> None:
    registry, _ = registry_with_champions(tmp_path / "registry", "a")
    path = tmp_path / "own.onnx"
    if there:
        path.write_bytes(factory_model().data)
    for choice in (str(path), "../versions", "", ".", "\x00", "x" * 10_000, "\ud83d", f"{registry.folder}/champion"):
        with pytest.raises(InputError, match=r"^no model of that name in the registry"):
            choose_stored_model(choice, registry)
