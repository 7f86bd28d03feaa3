"""The version of the program: from the tags of git, and from what an archive has where there is no git."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

FILES = ("pyproject.toml", "README.md", "LICENSE", ".git_archival.txt", ".gitattributes")


def run(*command: str, cwd: Path) -> str:
    return subprocess.run(
        command, cwd=cwd, check=True, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE_S
    ).stdout.strip()


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    return run("git", *identity, *arguments, cwd=folder)


def archive_of(repository: Path, tmp_path: Path) -> Path:
    """Return a folder with the files of the newest commit, as hosts of repositories offer them for download."""
    git(repository, "archive", "--output", str(tmp_path / "source.zip"), "HEAD")
    shutil.unpack_archive(tmp_path / "source.zip", tmp_path / "source")
    return tmp_path / "source"


def version_of(folder: Path) -> Version:
    return Version(run(sys.executable, "-m", "hatchling", "version", cwd=folder))


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """The files that the version is computed from, without git."""
    folder = tmp_path / "plain"
    folder.mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def repository(plain: Path) -> Path:
    """The same files, committed."""
    git(plain, "init", "--quiet", "--initial-branch=main")
    git(plain, "add", "--all")
    git(plain, "commit", "--quiet", "--message=First.")
    return plain


def test_tagged_commit_has_the_version_of_its_tag(repository: Path) -> None:
    git(repository, "tag", "v7.8.9")
    assert version_of(repository) == Version("7.8.9")


def test_commit_after_a_tag_is_a_development_version_of_the_next(repository: Path) -> None:
    git(repository, "tag", "v7.8.9")
    git(repository, "commit", "--quiet", "--allow-empty", "--message=Second.")
    version = version_of(repository)
    assert Version("7.8.9") < version < Version("7.8.10")
    assert version.local is not None
    assert git(repository, "rev-parse", "HEAD").startswith(version.local.removeprefix("g"))


def test_repository_without_tags_is_a_development_version(repository: Path) -> None:
    assert version_of(repository).is_devrelease


def test_shallow_clone_without_tags_is_a_development_version(repository: Path, tmp_path: Path) -> None:
    git(repository, "tag", "v7.8.9")
    git(repository, "commit", "--quiet", "--allow-empty", "--message=Second.")
    git(tmp_path, "clone", "--quiet", "--depth=1", "--no-tags", repository.as_uri(), "shallow")
    assert version_of(tmp_path / "shallow").is_devrelease


def test_files_without_git_are_a_development_version(plain: Path) -> None:
    assert version_of(plain).is_devrelease


def test_archive_of_a_tagged_commit_has_the_version_of_the_tag(repository: Path, tmp_path: Path) -> None:
    git(repository, "tag", "v7.8.9")
    assert version_of(archive_of(repository, tmp_path)) == Version("7.8.9")


def test_archive_of_a_commit_without_tags_is_a_development_version(repository: Path, tmp_path: Path) -> None:
    version = version_of(archive_of(repository, tmp_path))
    assert version.is_devrelease
    assert version > Version("0.1.0")
