"""The files in ``requirements/`` pin what pyproject.toml asks for, with hashes, and name no place to fetch it from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.lock import FILES
from tests.helpers.places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NAME = PROJECT["project"]["name"]


def entries(extra: str) -> list[tuple[Requirement, int]]:
    """Return what the file of ``extra`` pins, each with the number of its hashes."""
    lines = (ROOT / FILES[extra]).read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    found = []
    for entry in text.replace("\\\n", " ").splitlines():
        requirement, *hashes = re.split(r"\s+--hash=(?=sha256:[0-9a-f]{64}(?:\s|$))", entry.strip())
        found.append((Requirement(requirement), len(hashes)))
    return found


def required(extra: str) -> Iterator[Requirement]:
    """Yield what pyproject.toml asks for with ``extra``, with the extras that it includes, and to build the program."""
    project = PROJECT["project"]
    yield from map(Requirement, project["dependencies"] + PROJECT["build-system"]["requires"])
    waiting = [extra]
    while waiting:
        for text in project["optional-dependencies"][waiting.pop()]:
            requirement = Requirement(text)
            if requirement.name == NAME:
                waiting += requirement.extras
            else:
                yield requirement


@pytest.mark.parametrize("extra", FILES)
def test_every_requirement_is_pinned_to_a_version_that_it_allows(extra: str) -> None:
    pinned: dict[str, list[Requirement]] = {}
    for requirement, _ in entries(extra):
        pinned.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    wrong = []
    for requirement in required(extra):
        pins = pinned.get(canonicalize_name(requirement.name), [])
        versions = [next(iter(pin.specifier)).version for pin in pins]
        if not versions or not all(requirement.specifier.contains(version, prereleases=True) for version in versions):
            wrong.append(f"{requirement} is pinned to {versions}")
    assert wrong == [], "run python -m scripts.lock"


@pytest.mark.parametrize("extra", FILES)
def test_nothing_is_pinned_that_is_no_longer_required(extra: str) -> None:
    pinned, name = set(), ""
    for line in (ROOT / FILES[extra]).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            name = Requirement(line.rstrip("\\ ")).name
        elif line.endswith(f" {NAME} (pyproject.toml)"):  # why the package is there
            pinned.add(canonicalize_name(name))
    assert pinned
    assert pinned - {canonicalize_name(requirement.name) for requirement in required(extra)} == set()


@pytest.mark.parametrize("extra", FILES)
def test_every_entry_is_one_version_with_hashes(extra: str) -> None:
    found = entries(extra)
    assert found
    for requirement, hashes in found:
        assert [part.operator for part in requirement.specifier] == ["=="], requirement
        assert requirement.url is None
        assert hashes >= 1, requirement


@pytest.mark.parametrize("extra", FILES)
def test_no_entry_is_for_what_takes_gigabytes(extra: str) -> None:
    assert "torch" not in {requirement.name for requirement, _ in entries(extra)}


@pytest.mark.parametrize("path", FILES.values())
def test_no_place_to_fetch_packages_from_is_named(path: str) -> None:
    assert re.findall(r"\w+://\S*|^-.*", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE) == []


def test_users_and_developers_get_the_same_versions() -> None:
    developers, users = ({(pin.name, str(pin.specifier)) for pin, _ in entries(extra)} for extra in ("dev", "all"))
    assert users - developers == set()
