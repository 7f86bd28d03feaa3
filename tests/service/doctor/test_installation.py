from __future__ import annotations

import sys
import tomllib

from service.doctor.finding import Verdict
from service.doctor.installation import DISTRIBUTION, EXTRAS, check_packages, check_program
from tests.helpers.places import ROOT


def test_versions_of_program_and_python_are_shown() -> None:
    assert check_program().found.startswith(f"{DISTRIBUTION} ")


def test_missing_package_of_an_extra_is_a_note_that_names_the_command() -> None:
    (finding,) = check_packages(['no-such-package>=1; extra == "hil"'])
    assert finding.verdict is Verdict.NOTE
    assert "no-such-package is not installed" in finding.found
    assert finding.remedy == f'{sys.executable} -m pip install "stinger-ml[hil]"'


def test_package_of_the_core_that_is_too_old_is_a_problem() -> None:
    (finding,) = check_packages(["click>=999"])
    assert finding.verdict is Verdict.PROBLEM
    assert ">=999 is needed" in finding.found


def test_extra_whose_packages_are_all_there_is_listed() -> None:
    (finding,) = check_packages(["click>=8", 'numpy>=1; extra == "train"'])
    assert (finding.verdict, finding.found) == (Verdict.GOOD, "train")


def test_requirement_for_another_system_is_not_missing() -> None:
    assert check_packages(['no-such-package>=1; sys_platform == "no-such-system"']) == []


def test_every_extra_for_users_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["optional-dependencies"]) - {"all", "deep", "dev", "docs", "xgb"} == set(EXTRAS)
