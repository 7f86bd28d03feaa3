from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.registry import Registry
from stinger.mlmd import LrModel, MlpModel, write_mlmd
from tests.helpers.cli import invoke
from tests.stinger.test_mlmd import random_model


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    write_mlmd(tmp_path / "lr.bin", random_model(LrModel))
    result = invoke("import-model", tmp_path / "lr.bin", "-o", tmp_path / "lr.onnx")
    assert result.exit_code == 0, result.output
    return tmp_path / "lr.onnx"


@pytest.mark.parametrize("kind", [LrModel, MlpModel])
def test_importing_and_exporting_gives_the_same_file(tmp_path: Path, kind: type[LrModel | MlpModel]) -> None:
    write_mlmd(tmp_path / "in.bin", random_model(kind))
    assert invoke("import-model", tmp_path / "in.bin", "-o", tmp_path / "m.onnx").exit_code == 0
    result = invoke("export-model", tmp_path / "m.onnx", "-o", tmp_path / "out.bin")
    assert "=" in result.output
    assert (tmp_path / "out.bin").read_bytes() == (tmp_path / "in.bin").read_bytes()


def test_show_tells_what_a_model_file_is(onnx_file: Path) -> None:
    output = invoke("models", "show", onnx_file).output
    assert "logreg on summary features" in output
    assert "on from 0.5, off below 0.25" in output
    assert json.loads(invoke("models", "show", "--json", onnx_file).output)["estimator"] == "logreg"


def test_models_are_listed_promoted_rolled_back_and_pruned(tmp_path: Path, onnx_file: Path) -> None:
    registry = Registry(tmp_path / "data" / "registry")
    ids = [registry.add(name, onnx_file.read_bytes(), {}).id for name in ("a", "b", "c", "d")]
    data = ("--data-dir", tmp_path / "data")
    for version in ids[:2]:
        assert invoke("models", "promote", version, *data).output == f"The champion is now {version}.\n"
    assert invoke("models", "list", *data).output.splitlines() == [
        f"  {ids[0]}",
        f"* {ids[1]}",
        f"  {ids[2]}",
        f"  {ids[3]}",
    ]
    assert json.loads(invoke("models", "list", "--json", *data).output)[1] == {"version": ids[1], "champion": True}
    assert invoke("models", "rollback", *data).output == f"The champion is again {ids[0]}.\n"
    assert invoke("models", "show", ids[0], *data).exit_code == 0
    assert invoke("models", "prune", "--keep", "0", *data).output.endswith("3 deleted.\n")


def test_model_file_is_added_with_its_file_for_the_blaster(tmp_path: Path, onnx_file: Path) -> None:
    data = ("--data-dir", tmp_path / "data")
    assert "Kept as" in invoke("models", "add", onnx_file, *data).output
    (version,) = Registry(tmp_path / "data" / "registry").versions()
    assert version.id.endswith("-logreg-summary")
    assert version.blaster_path is not None
    assert version.blaster_path.read_bytes() == (tmp_path / "lr.bin").read_bytes()


def test_champion_that_is_gone_does_not_hide_the_others(tmp_path: Path, onnx_file: Path) -> None:
    registry = Registry(tmp_path / "registry")
    version = registry.add("a", onnx_file.read_bytes(), {})
    (tmp_path / "registry" / "champion").write_text("gone\n")
    result = invoke("models", "list", "--data-dir", tmp_path)
    assert result.exit_code == 0
    assert version.id in result.stdout
    assert "names 'gone'" in result.stderr


def test_model_that_cannot_serve_is_not_promoted(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    version = registry.add("bad", b"garbage", {})
    result = invoke("models", "promote", version.id, "--data-dir", tmp_path)
    assert result.exit_code == 2
    assert "not an ONNX model" in result.stderr
    assert registry.champion() is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "show", "no-such-version"),
        ("models", "show", "none.onnx"),
        ("models", "promote", "no-such-version"),
        ("models", "rollback"),
    ],
)
def test_what_is_not_there_is_one_line_and_exit_code_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments, "--data-dir", tmp_path / "nothing")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


def test_empty_registry_is_listed_as_such(tmp_path: Path) -> None:
    assert "contains no model yet" in invoke("models", "list", "--data-dir", tmp_path).output


def test_garbage_is_not_imported_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"MLMD")
    result = invoke("import-model", tmp_path / "x.bin", "-o", tmp_path / "x.onnx")
    assert result.exit_code == 2
    assert "24-byte header" in result.stderr
    assert not (tmp_path / "x.onnx").exists()
