"""What a wheel of this project contains, and that the check script tests it as the README does."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT

PACKAGES = ("stinger", "models", "replay", "service", "hil")


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a wheel built from this checkout."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=3 * PATIENCE_S)
    (wheel,) = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_contains_every_module_and_data_file_of_every_package(wheel_names: set[str]) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected
    assert expected - wheel_names == set()


def test_wheel_contains_only_the_packages_and_its_metadata(wheel_names: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel_names if ".dist-info/" not in name} == set(PACKAGES)


def test_wheel_contains_the_licence_and_the_command(wheel_names: set[str]) -> None:
    in_metadata = {name.split(".dist-info/")[1] for name in wheel_names if ".dist-info/" in name}
    assert {"licenses/LICENSE", "entry_points.txt"} <= in_metadata


def test_check_script_runs_the_test_command_of_the_readme_to_the_letter() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    commands = [line for line in readme if ".[dev]" in line and "pytest" in line]
    assert len(commands) == 1
    assert commands[0] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
