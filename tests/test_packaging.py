"""What a wheel and a source distribution contain, and that the check script installs and tests as the README does."""

from __future__ import annotations

import email
import email.message
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT

PACKAGES = ("stinger", "models", "replay", "service", "hil")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a source distribution of this checkout, and the wheel built from that, as for a release."""
    target = tmp_path_factory.mktemp("distributions")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    return target


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    """The path of the wheel."""
    (path,) = distributions.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    """The names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> email.message.Message:
    """The wheel's metadata, which the package index shows."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def sdist_names(distributions: Path) -> set[str]:
    """The names of the files in the source distribution, below its folder."""
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


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


def test_source_distribution_contains_the_licence(sdist_names: set[str]) -> None:
    assert "LICENSE" in sdist_names


def test_source_distribution_contains_every_file_of_the_repository(sdist_names: set[str]) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("the list of files is git's")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert set(listed.stdout.rstrip("\0").split("\0")) - sdist_names == set()


def test_package_index_accepts_both_and_can_show_the_description(distributions: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, distributions.iterdir())]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert ended.returncode == 0, ended.stdout


def test_description_is_the_readme_without_links_to_files_of_the_repository(metadata: email.message.Message) -> None:
    description = metadata.get_payload()
    assert isinstance(description, str)
    assert description.startswith("# stinger-ml\n")
    assert re.findall(r"\]\((?!https?:)[^)]*\)", description) == []


def test_check_script_runs_the_test_command_of_the_readme_to_the_letter() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    commands = [line for line in readme if "requirements/dev.txt" in line and "pytest" in line]
    assert len(commands) == 1
    assert commands[0] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
