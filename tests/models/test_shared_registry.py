"""A registry in shared storage, of which two machines have copies."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic_ns

import pytest

from models.shared_registry import SharedRegistry, open_current_registry, open_registry
from models.storage.folder import StorageFolder
from stinger.errors import FileError, InputError, StingerError
from stinger.storage_url import StorageUrl, parse_storage_url

Machine = Callable[[str], SharedRegistry]
"""Returns the registry as a machine with this name has it."""


@pytest.fixture
def url() -> StorageUrl:
    return parse_storage_url(f"memory://registry-{monotonic_ns()}/models")


@pytest.fixture
def machine(url: StorageUrl, tmp_path: Path) -> Machine:
    return lambda name: SharedRegistry(StorageFolder(url), tmp_path / name)


def add(registry: SharedRegistry, name: str) -> str:
    return registry.add(name, name.encode(), {"name": name}, blaster_model=b"mlmd").id


def champion_of(registry: SharedRegistry) -> str | None:
    champion = registry.champion()
    return None if champion is None else champion.id


def test_a_model_added_and_promoted_on_one_machine_is_the_champion_on_another(machine: Machine) -> None:
    one, other = machine("one"), machine("other")
    added = add(one, "m")
    one.promote(added, why="better")
    other.pull()
    (version,) = other.versions()
    assert champion_of(other) == added == version.id
    assert version.model_path.read_bytes() == b"m"
    assert version.report() == {"name": "m"}
    assert version.blaster_path is not None
    assert [entry["action"] for entry in other.journal() if entry.get("action") != "begin"] == ["add", "promote"]


def test_every_kind_of_storage_keeps_a_registry(any_storage: StorageUrl, tmp_path: Path) -> None:
    one = SharedRegistry(StorageFolder(any_storage), tmp_path / "one")
    first, second = add(one, "a"), add(one, "b")
    one.promote(first, why="")
    one.promote(second, why="")
    other = SharedRegistry(StorageFolder(any_storage), tmp_path / "other")
    other.pull()
    assert champion_of(other) == second
    assert other.roll_back(why="worse").id == first
    assert not one.prune(keep=2)


def test_without_a_change_nothing_is_pulled(machine: Machine) -> None:
    one, other = machine("one"), machine("other")
    assert other.pull_if_changed()  # the first time
    assert not other.pull_if_changed()
    added = add(one, "m")
    assert other.pull_if_changed()
    assert not other.pull_if_changed()
    one.promote(added, why="")
    assert other.pull_if_changed()
    assert champion_of(other) == added


def test_rolling_back_follows_the_promotions_of_all_machines(machine: Machine) -> None:
    one, other = machine("one"), machine("other")
    first, second = add(one, "a"), add(other, "b")
    one.promote(first, why="")
    other.promote(second, why="")
    assert one.roll_back(why="").id == first
    other.pull()
    assert champion_of(other) == first
    assert [version.id for version in other.rolled_back_versions()] == [second]
    with pytest.raises(InputError, match=r"^memory://\S+ has no earlier champion to go back to$"):
        other.roll_back(why="")


def test_a_version_that_is_not_there_cannot_be_promoted(machine: Machine) -> None:
    one = machine("one")
    add(one, "m")
    with pytest.raises(InputError, match=r"^memory://\S+ has no model 'nothing'"):
        one.promote("nothing", why="")


def test_a_promotion_instead_of_a_model_that_is_no_longer_champion_is_refused(machine: Machine) -> None:
    one, other = machine("one"), machine("other")
    first, second, third = add(one, "a"), add(one, "b"), add(one, "c")
    one.promote(first, why="")
    other.promote(second, why="")
    with pytest.raises(InputError, match="is no longer the champion: another model was promoted meanwhile"):
        one.promote(third, why="", instead_of=first)
    assert champion_of(one) == second


def test_changes_of_many_machines_at_once_are_all_kept_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    url = parse_storage_url(f"file://{tmp_path}/mounted")
    machines = [SharedRegistry(StorageFolder(url), tmp_path / f"m{number}") for number in range(4)]
    ids = [add(one, f"model-{number}") for number, one in enumerate(machines)]

    def promote(number: int) -> None:
        for version_id in random.Random(number).choices(ids, k=6):
            machines[number].promote(version_id, why=str(number))

    threads = [threading.Thread(target=promote, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader = SharedRegistry(StorageFolder(url), tmp_path / "reader")
    reader.pull()
    promotions = [entry for entry in reader.journal() if entry.get("action") == "promote"]
    assert len(promotions) == 24
    assert [entry["from"] for entry in promotions[1:]] == [entry["to"] for entry in promotions[:-1]]
    assert champion_of(reader) == promotions[-1]["to"]


def test_a_version_that_is_not_complete_is_not_there_yet(machine: Machine, url: StorageUrl) -> None:
    storage = StorageFolder(url)
    storage.write("versions/20260101T000000.000Z-half/model.onnx", b"half")
    one = machine("one")
    one.pull()
    assert one.versions() == []
    one.note("tidied", {})
    one.prune(keep=1)
    assert storage.list("versions") == []


def test_a_damaged_champion_leaves_the_one_before_it_in_use_and_is_named(machine: Machine, url: StorageUrl) -> None:
    one, other = machine("one"), machine("other")
    first, second = add(one, "a"), add(one, "b")
    one.promote(first, why="")
    other.pull()
    StorageFolder(url).write(f"versions/{second}/model.onnx", b"damaged")
    third = machine("third")
    one.promote(second, why="")
    with pytest.raises(FileError, match=rf"^{url}/versions/{second}/model.onnx: is not the model file that was stored"):
        third.pull()
    assert [version.id for version in third.earlier_champions()] == [first]
    other.pull()  # it had the right file already
    StorageFolder(url).write(f"versions/{second}/model.onnx", b"b")
    third.pull()
    assert champion_of(third) == second


def test_a_champion_whose_files_were_deleted_is_named_and_stays_where_it_was_copied(
    machine: Machine, url: StorageUrl
) -> None:
    one = machine("one")
    added = add(one, "a")
    one.promote(added, why="")
    for stored in StorageFolder(url).list("versions"):
        StorageFolder(url).delete(stored.name)
    one.pull()
    assert champion_of(one) == added
    with pytest.raises(FileError, match="is the champion, but is missing"):
        machine("other").pull()


def test_versions_whose_files_were_deleted_without_pruning_stay_in_the_copies(
    machine: Machine, url: StorageUrl
) -> None:
    one = machine("one")
    ids = [add(one, name) for name in "ab"]
    for stored in StorageFolder(url).list("versions"):
        StorageFolder(url).delete(stored.name)
    one.pull()
    assert [version.id for version in one.versions()] == ids


def test_pruned_versions_disappear_from_every_copy(machine: Machine) -> None:
    one, other = machine("one"), machine("other")
    ids = [add(one, name) for name in "abcd"]
    one.promote(ids[0], why="")
    other.pull()
    assert [version.id for version in one.prune(keep=1)] == ids[1:3]
    assert other.pull_if_changed()
    assert [version.id for version in other.versions()] == [ids[0], ids[3]]


def test_a_storage_that_overwrites_is_refused(url: StorageUrl, tmp_path: Path) -> None:
    class Overwriting(StorageFolder):
        def create(self, name: str, data: bytes) -> None:
            self.write(name, data)

    registry = SharedRegistry(Overwriting(url), tmp_path / "one")
    with pytest.raises(InputError, match="use one with conditional writes"):
        registry.add("m", b"m", {})


def test_a_registry_that_is_empty_all_at_once_leaves_the_copy_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    url = parse_storage_url(f"file://{tmp_path}/mounted")
    one = SharedRegistry(StorageFolder(url), tmp_path / "one")
    ids = [add(one, name) for name in "ab"]
    for version_id in ids:
        one.promote(version_id, why="")
    (tmp_path / "mounted").rename(tmp_path / "unmounted")
    with pytest.raises(FileError, match="is empty, though there was a registry: deleted, or not mounted"):
        one.pull()
    assert [version.id for version in one.versions()] == ids
    assert champion_of(one) == ids[1]
    assert [version.id for version in one.earlier_champions()] == ids[:1]


def test_a_registry_that_was_begun_again_replaces_the_copy(machine: Machine, url: StorageUrl) -> None:
    one, other = machine("one"), machine("other")
    one.promote(add(one, "old"), why="")
    other.pull()
    for stored in StorageFolder(url).list():
        StorageFolder(url).delete(stored.name)
    fresh = machine("fresh")
    new = add(fresh, "new")
    fresh.promote(new, why="")
    other.pull()
    assert champion_of(other) == new
    assert [version.id for version in other.versions()] == [new]


@pytest.mark.parametrize(
    "name", ["versions/../../x/model.onnx", "versions/x/model.onnx", "changes/1.json", "changes/x"]
)
def test_files_with_other_names_are_ignored(machine: Machine, url: StorageUrl, name: str) -> None:
    StorageFolder(url).write(name, b"{}")
    one = machine("one")
    one.pull()
    assert (one.versions(), one.journal()) == ([], [])


def test_a_damaged_change_is_skipped(machine: Machine, url: StorageUrl) -> None:
    one = machine("one")
    added = add(one, "a")
    StorageFolder(url).write("changes/00000002.json", b"\xff{")
    one.promote(added, why="")
    other = machine("other")
    other.pull()
    assert champion_of(other) == added


def test_the_copy_serves_while_the_storage_is_away(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    url = parse_storage_url(f"file://{tmp_path}/mounted")
    one = SharedRegistry(StorageFolder(url), tmp_path / "one")
    added = add(one, "a")
    one.promote(added, why="")
    (tmp_path / "mounted").rename(tmp_path / "elsewhere")
    (tmp_path / "mounted").write_text("not a folder")
    with pytest.raises(StingerError):
        add(one, "b")
    assert champion_of(SharedRegistry(StorageFolder(url), tmp_path / "one")) == added


def test_each_shared_registry_has_a_copy_of_its_own(tmp_path: Path) -> None:
    folders = {
        open_registry(tmp_path, None).folder,
        open_registry(tmp_path, parse_storage_url("memory://a/b")).folder,
        open_registry(tmp_path, parse_storage_url("memory://a/c")).folder,
    }
    assert len(folders) == 3
    assert open_current_registry(tmp_path, parse_storage_url("memory://a/none")).versions() == []
