"""Tests that fail in ``.ci/run`` are run again alone: only a test that fails alone too fails the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.repeat_failed import MAX_REPEATED
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT

PASSES = "def test_passes(): pass"
BROKEN = "def test_broken(): assert False"
FLAKY = """
from pathlib import Path
import pytest

def test_flaky():
    first_run = Path(__file__).with_suffix(".first")
    if not first_run.exists():
        first_run.touch()
        pytest.fail("the first time")
"""
SKIPS_THEN = f"{FLAKY}    pytest.skip('the second time')\n"
SLOW = FLAKY.replace("def test_flaky", "@pytest.mark.slow\ndef test_flaky")
PYTEST = ".venv/bin/python -m pytest"

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash runs the checks")


def run_part(
    folder: Path, modules: dict[str, str], command: str = PYTEST, *, options: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` on a suite of these modules as ``.ci/run`` runs pytest."""
    folder.joinpath(".venv").symlink_to(sys.prefix)
    folder.joinpath("pytest.ini").write_text("[pytest]\nmarkers = slow\naddopts = -m 'not slow'\n", encoding="utf-8")
    for name, text in modules.items():
        folder.joinpath(f"test_{name}.py").write_text(text, encoding="utf-8")
    lines = [f". {ROOT}/scripts/parts.sh", f"part sample repeating_failed {options} -- {command}", "end_of_parts"]
    return subprocess.run(
        ["bash", "-uo", "pipefail", "-c", "\n".join(lines)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def test_flaky_test_passes_the_run_and_is_named(tmp_path: Path) -> None:
    ended = run_part(tmp_path, {"a": FLAKY, "b": PASSES}, f"{PYTEST} -p xdist -n 1")
    assert ended.returncode == 0, ended.stdout
    outcome = "test_a.py::test_flaky: failed beside other tests, passed alone: flaky, to be mended"
    assert outcome in ended.stdout.splitlines()
    assert ended.stdout.splitlines()[-3:] == [
        "FLAKY, to be mended: failed beside other tests, passed alone:",
        "test_a.py::test_flaky",
        "All parts passed.",
    ]


def test_broken_test_fails_the_run_beside_a_flaky_one(tmp_path: Path) -> None:
    ended = run_part(tmp_path, {"a": FLAKY, "b": BROKEN})
    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    assert "test_a.py::test_flaky: failed beside other tests, passed alone: flaky, to be mended" in lines
    assert "test_b.py::test_broken: failed beside other tests, failed alone too" in lines
    assert lines[-1] == "FAILED: sample"


def test_more_than_a_few_flaky_tests_fail_the_run(tmp_path: Path) -> None:
    count = MAX_REPEATED + 1
    ended = run_part(tmp_path, {f"a{number}": FLAKY for number in range(count)})
    assert ended.returncode == 1
    assert f"{count} tests failed. None is run again, as that is done for {MAX_REPEATED} at most." in ended.stderr
    assert "again, alone" not in ended.stdout


def test_test_that_skips_alone_fails_the_run(tmp_path: Path) -> None:
    ended = run_part(tmp_path, {"a": SKIPS_THEN})
    assert ended.returncode == 1
    assert "test_a.py::test_flaky: failed beside other tests, skipped alone, which shows nothing" in ended.stdout


def test_slow_test_is_run_again_although_it_is_not_selected_by_default(tmp_path: Path) -> None:
    ended = run_part(tmp_path, {"a": SLOW}, f"{PYTEST} -m slow")
    assert ended.returncode == 0, ended.stdout
    assert "passed alone: flaky" in ended.stdout


def test_tests_are_run_again_with_the_options_of_the_run(tmp_path: Path) -> None:
    ended = run_part(tmp_path, {"a": FLAKY}, options="--no-header --tb=line")
    assert ended.returncode == 0, ended.stdout
    assert "rootdir" not in ended.stdout.partition("again, alone")[2]


@pytest.mark.parametrize("status", [1, 2, 4, 127])
def test_command_that_fails_without_failed_tests_fails_the_run(tmp_path: Path, status: int) -> None:
    (tmp_path / ".pytest_cache/v/cache").mkdir(parents=True)
    (tmp_path / ".pytest_cache/v/cache/lastfailed").write_text('{"test_a.py::test_passes": true}', encoding="utf-8")
    ended = run_part(tmp_path, {"a": PASSES}, f"bash -c 'exit {status}'")
    assert ended.returncode == 1
    assert "again, alone" not in ended.stdout


def test_run_that_was_interrupted_fails_although_its_failures_are_flaky(tmp_path: Path) -> None:
    ended = run_part(tmp_path, {"a": FLAKY, "b": "def test_interrupts(): raise KeyboardInterrupt"})
    assert ended.returncode == 1
    assert "again, alone" not in ended.stdout
