"""Packages of other people that have the names of ours: harmless in the current folder, elsewhere reported in one line.

All in real processes, started in a folder that holds ``models.py``, ``service.py``, ``replay.py`` and ``hil.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stinger.packages import PACKAGES, python_module
from tests.helpers.cli import run_program, run_stinger
from tests.helpers.patience import PATIENCE_S

FOREIGN = [name for name in PACKAGES if name != "stinger"]


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a file that must not be imported for each name of ours."""
    for name in FOREIGN:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a foreign file was imported')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def with_the_current_folder_first(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m stinger``, which imports from the current folder before all others."""
    return run_program(sys.executable, "-m", "stinger", *arguments)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_in_the_current_folder_is_named_in_one_line(foreign: Path, name: str) -> None:
    for other in FOREIGN:
        if other != name:
            (foreign / f"{other}.py").unlink()
    ended = with_the_current_folder_first("info", "log.bin")
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"Error: '{name}' is imported from {foreign / name}.py, but stinger needs its own")
    assert ended.stderr.endswith("rename it, or use the command 'stinger' instead of 'python -m stinger'\n")
    assert ended.stderr.count("\n") == 1


def test_a_foreign_package_is_named_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    ended = with_the_current_folder_first("models", "list")
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"Error: 'models' is imported from {tmp_path / 'models' / '__init__.py'}, but")


def test_a_folder_of_that_name_without_python_files_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    ended = with_the_current_folder_first("models", "list", "--data-dir", "data")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_foreign_package_that_is_installed_is_to_be_removed(foreign: Path) -> None:
    path = os.pathsep.join([str(foreign), *filter(None, [os.environ.get("PYTHONPATH")])])
    ended = run_program(*python_module("stinger", "info", "log.bin"), PYTHONPATH=path)
    assert ended.returncode == 2
    assert "remove the other package, or install stinger-ml in a virtual environment of its own" in ended.stderr


@pytest.mark.usefixtures("foreign")
def test_help_needs_no_package() -> None:
    assert with_the_current_folder_first("--help").returncode == 0


@pytest.mark.slow
@pytest.mark.usefixtures("foreign")
def test_the_demo_starts_its_child_process_without_the_current_folder() -> None:
    ended = run_stinger("demo", "--seconds", "4")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "demo: link streaming" in ended.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("foreign")
def test_the_bench_starts_its_child_processes_without_the_current_folder() -> None:
    ended = run_stinger("hil", "run", "steady", "--seconds", "5", "--broker", "embedded", timeout_s=3 * PATIENCE_S)
    assert ended.returncode in {0, 1}, ended.stderr  # whatever the verdict on this machine, there is one
    assert "a foreign file" not in ended.stdout + ended.stderr
    assert "steady" in ended.stdout


@pytest.mark.usefixtures("foreign")
@pytest.mark.parametrize("backend", ["local", "loky", "multiprocessing"])
def test_workers_import_without_the_current_folder(backend: str) -> None:
    script = (
        "from models.names import stems\n"
        "from models.workers import Workers, run_parallel\n"
        f"print(sorted(run_parallel(stems, [['a.bin'], ['b.bin']], Workers(2, '{backend}'))))\n"
    )
    ended = run_program(sys.executable, "-P", "-c", script)
    assert ended.stdout == "[['a'], ['b']]\n", ended.stderr
