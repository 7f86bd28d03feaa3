from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from filelock import FileLock

from models.registry import Registry
from stinger.errors import FileError, InputError
from tests.helpers.patience import PATIENCE_S


def registry_with(folder: Path, *names: str) -> tuple[Registry, list[str]]:
    registry = Registry(folder)
    return registry, [registry.add(name, name.encode(), {"name": name}).id for name in names]


def champion_of(registry: Registry) -> str | None:
    champion = registry.champion()
    return None if champion is None else champion.id


def test_registry_that_does_not_exist_is_empty_and_is_not_created(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    assert registry.versions() == []
    assert registry.champion() is None
    assert registry.journal() == []
    assert not (tmp_path / "registry").exists()


def test_added_model_is_kept_whole_and_is_not_yet_in_use(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    version = registry.add("mlp-rich", b"onnx", {"rows": 3}, blaster_model=b"mlmd")
    assert version.id.endswith("Z-mlp-rich")
    assert version.model_path.read_bytes() == b"onnx"
    assert version.report() == {"rows": 3}
    assert version.blaster_path is not None
    assert version.blaster_path.read_bytes() == b"mlmd"
    assert registry.versions() == [version]
    assert registry.champion() is None


def test_models_of_one_name_and_second_do_not_collide(tmp_path: Path) -> None:
    registry, ids = registry_with(tmp_path, "m", "m", "m")
    assert len(set(ids)) == 3
    assert len(registry.versions()) == 3


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "x" * 62, "m.onnx"])
def test_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a model"):
        Registry(tmp_path).add(name, b"", {})


def test_promotion_names_the_champion_and_is_in_the_journal(tmp_path: Path) -> None:
    registry, (first, second) = registry_with(tmp_path, "a", "b")
    registry.promote(first, why="first")
    registry.promote(second, why="better")
    assert champion_of(registry) == second
    assert (tmp_path / "champion").read_text() == f"{second}\n"
    promotions = [entry for entry in registry.journal() if entry["action"] == "promote"]
    assert [(entry["from"], entry["to"], entry["why"]) for entry in promotions] == [
        (None, first, "first"),
        (first, second, "better"),
    ]


def test_roll_back_goes_step_by_step_through_what_was_promoted(tmp_path: Path) -> None:
    registry, (a, b, c) = registry_with(tmp_path, "a", "b", "c")
    for version in (a, b, c):
        registry.promote(version, why="")
    assert registry.roll_back(why="worse").id == b
    assert registry.roll_back(why="worse").id == a
    with pytest.raises(InputError, match="no earlier champion"):
        registry.roll_back(why="worse")
    assert champion_of(registry) == a


def test_champion_that_was_promoted_twice_does_not_trap_the_roll_back(tmp_path: Path) -> None:
    registry, (a, b, c) = registry_with(tmp_path, "a", "b", "c")
    for version in (a, b, c, b):
        registry.promote(version, why="")
    assert [registry.roll_back(why="").id for _ in range(3)] == [c, b, a]
    with pytest.raises(InputError, match="no earlier champion"):
        registry.roll_back(why="")


def test_promotion_that_a_kill_prevented_is_not_rolled_back_to(tmp_path: Path) -> None:
    registry, (a, b) = registry_with(tmp_path, "a", "b")
    registry.promote(a, why="")
    registry.note("promote", {"from": a, "to": b, "why": "killed right after"})
    with pytest.raises(InputError, match="no earlier champion"):
        registry.roll_back(why="")


def test_versions_are_listed_in_the_order_of_their_adding(tmp_path: Path) -> None:
    registry, ids = registry_with(tmp_path, "zeta", "alpha", *["m"] * 12)
    assert [version.id for version in registry.versions()] == ids


def test_changing_a_registry_that_another_process_is_changing_is_refused(tmp_path: Path) -> None:
    _, (a,) = registry_with(tmp_path, "a")
    registry = Registry(tmp_path, lock_timeout_s=0.05)
    with FileLock(tmp_path / "lock"), pytest.raises(InputError, match="is being changed by another process"):
        registry.promote(a, why="")


def test_changing_a_registry_that_is_not_there_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contains no model yet"):
        Registry(tmp_path / "typo").prune(keep=1)
    assert list(tmp_path.iterdir()) == []


def test_unknown_version_is_not_promoted(tmp_path: Path) -> None:
    registry, (a,) = registry_with(tmp_path, "a")
    registry.promote(a, why="")
    with pytest.raises(InputError, match="has no model 'nothing'"):
        registry.promote("nothing", why="")
    assert champion_of(registry) == a


def test_champion_that_is_gone_is_an_error_and_another_can_be_promoted(tmp_path: Path) -> None:
    registry, (a,) = registry_with(tmp_path, "a")
    (tmp_path / "champion").write_text("gone\n")
    with pytest.raises(FileError, match="names 'gone', which is not there"):
        registry.champion()
    registry.promote(a, why="")
    assert champion_of(registry) == a


@pytest.mark.parametrize("content", [b"", bytes(40), b"20261128T", bytes(5000)])
def test_promotion_after_damage_keeps_what_can_be_rolled_back_to(tmp_path: Path, content: bytes) -> None:
    registry, (a, b, c) = registry_with(tmp_path, "a", "b", "c")
    for version in (a, b):
        registry.promote(version, why="")
    (registry.folder / "champion").write_bytes(content)
    registry.promote(c, why="")
    assert [registry.roll_back(why="").id for _ in range(2)] == [b, a]


def test_pruning_keeps_the_newest_the_champion_and_its_predecessor(tmp_path: Path) -> None:
    registry, ids = registry_with(tmp_path, "a", "b", "c", "d", "e")
    registry.promote(ids[0], why="")
    registry.promote(ids[2], why="")
    assert [version.id for version in registry.prune(keep=1)] == [ids[1], ids[3]]
    assert {version.id for version in registry.versions()} == {ids[0], ids[2], ids[4]}
    assert registry.roll_back(why="").id == ids[0]


def test_torn_journal_line_is_left_out_and_spoils_no_other(tmp_path: Path) -> None:
    registry, (a, b) = registry_with(tmp_path, "a", "b")
    registry.promote(a, why="")
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"action": "prom')
    registry.promote(b, why="")
    assert [entry["action"] for entry in registry.journal()] == ["add", "add", "promote", "promote"]
    assert registry.roll_back(why="").id == a


def test_what_a_killed_process_left_unfinished_is_not_seen_and_is_removed(tmp_path: Path) -> None:
    registry, _ = registry_with(tmp_path, "a")
    unfinished = tmp_path / "versions" / ".unfinished-x"
    unfinished.mkdir()
    (unfinished / "model.onnx").write_bytes(b"half")
    assert len(registry.versions()) == 1
    registry.add("b", b"", {})
    assert not unfinished.exists()


def _promote_in_turn(folder: str, ids: list[str], count: int) -> None:
    registry = Registry(folder)
    for i in range(count):
        registry.promote(ids[i % len(ids)], why=str(os.getpid()))


def test_processes_that_promote_at_once_lose_no_entry(tmp_path: Path) -> None:
    registry, ids = registry_with(tmp_path, "a", "b")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_promote_in_turn, args=(str(tmp_path), ids, 10)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE_S)
        assert worker.exitcode == 0
        worker.close()
    promotions = [entry for entry in registry.journal() if entry["action"] == "promote"]
    assert len(promotions) == 20
    assert [entry["from"] for entry in promotions[1:]] == [entry["to"] for entry in promotions[:-1]]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_process_killed_at_any_moment_leaves_a_champion_and_whole_versions(tmp_path: Path) -> None:
    registry, (a, _) = registry_with(tmp_path, "a", "b")
    registry.promote(a, why="")
    script = textwrap.dedent(
        f"""
        from models.registry import Registry
        registry = Registry({str(tmp_path)!r})
        print("ready", flush=True)
        while True:
            registry.promote(registry.add("m", b"x" * 100_000, {{}}).id, why="")
            registry.prune(keep=2)
        """
    )
    moments = random.Random(1)
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0, 0.05))
            process.kill()
        champion = registry.champion()
        assert champion is not None
        for version in registry.versions():
            assert version.model_path.read_bytes() in {b"a", b"b", b"x" * 100_000}
            version.report()
        registry.promote(champion.id, why="goes on")


def test_note_is_kept_in_the_journal_and_changes_no_champion(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "new")
    registry.note("retrain", {"outcome": "not yet"})
    assert [(entry["action"], entry["outcome"]) for entry in registry.journal()] == [("retrain", "not yet")]
    first, second = (registry.add(name, b"model", {}).id for name in ("a", "b"))
    registry.promote(first, why="")
    registry.note("retrain", {})
    registry.promote(second, why="")
    registry.note("retrain", {})
    assert registry.roll_back(why="").id == first


@pytest.mark.parametrize("action", ['["promote"]', '{"promote": 1}', "7", "null"])
def test_entry_with_an_action_that_is_no_text_is_ignored(tmp_path: Path, action: str) -> None:
    registry, (first, second) = registry_with(tmp_path, "a", "b")
    registry.promote(first, why="")
    registry.promote(second, why="")
    with (tmp_path / "journal.jsonl").open("a") as journal:
        journal.write(f'{{"action": {action}, "from": [], "to": "{first}"}}\n')
    assert [version.id for version in registry.earlier_champions()] == [first]
