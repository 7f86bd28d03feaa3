"""The files of the project's page (workflows, issue forms) and of contributors' tools are valid by their schemas."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT

FILES = [
    *((path, "vendor.github-workflows") for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))),
    *((path, "vendor.github-issue-forms") for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))),
]
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "tests/README.md")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize(("path", "schema"), FILES, ids=[path.name for path, _ in FILES])
def test_file_of_the_project_page_is_valid_by_its_schema(path: Path, schema: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert ended.returncode == 0, ended.stdout


def test_versions_of_python_in_the_classifiers_are_those_that_the_workflow_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    claimed = {line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line}
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))["jobs"]
    matrix = jobs["quick"]["strategy"]["matrix"]
    assert claimed == {*matrix["python"], *(job["python"] for job in matrix["include"])}


def test_hooks_before_a_commit_are_valid() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-config", str(ROOT / ".pre-commit-config.yaml")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_that_is_not_on_the_site_lead_to_files(page: str) -> None:
    path = ROOT / page
    missing = [link for link in LINK.findall(path.read_text(encoding="utf-8")) if not (path.parent / link).exists()]
    assert missing == []


def test_pages_of_the_site_link_to_nothing_outside_of_it() -> None:
    pages = sorted((ROOT / "docs").glob("*.md"))
    assert pages
    outside = [
        (page.name, link) for page in pages for link in LINK.findall(page.read_text(encoding="utf-8")) if ".." in link
    ]
    assert outside == []


def test_check_script_refuses_an_unknown_option() -> None:
    ended = subprocess.run(
        [ROOT / "scripts" / "check", "--fast"], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert ended.returncode == 2
    assert ended.stderr == "usage: scripts/check [--all | --static]\n"
