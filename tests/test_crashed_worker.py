"""A test in which a worker of pytest-xdist crashes fails by name; every other test still runs, and the run ends."""

from __future__ import annotations

import signal

import pytest

from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT

PASSES = "def test_first(): pass\ndef test_second(): pass\ndef test_third(): pass\n"
KILLED = "import os, signal\ndef test_crash(): os.kill(os.getpid(), signal.SIGKILL)\n"
EXITS = "import os\ndef test_crash(): os._exit(0)\n"

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has other signals")


@pytest.fixture(autouse=True)
def _few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the suite load only the plugins that it needs."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run_suite(pytester: pytest.Pytester, workers: int, **modules: str) -> pytest.RunResult:
    """Run these modules, in the order of their names, as the suite is run."""
    pytester.makeini(f"[pytest]\npythonpath = {ROOT}\n")
    pytester.makeconftest('pytest_plugins = ["tests.helpers.parallel"]')
    pytester.makepyfile(**modules)
    return pytester.runpytest_subprocess("-p", "xdist", "-n", str(workers), timeout=PATIENCE_S)


@pytest.mark.parametrize("crashing", [KILLED, EXITS], ids=["killed", "exits"])
def test_crash_after_finished_modules_is_one_failure(pytester: pytest.Pytester, crashing: str) -> None:
    result = run_suite(pytester, 1, test_a=PASSES, test_b=PASSES, test_c=crashing + PASSES, test_d=PASSES)
    result.assert_outcomes(passed=12, failed=1)
    result.stdout.fnmatch_lines(["*crashed while running 'test_c.py::test_crash'*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_crash_beside_another_worker_is_one_failure(pytester: pytest.Pytester) -> None:
    result = run_suite(pytester, 2, test_a=PASSES, test_b=PASSES + KILLED, test_c=PASSES, test_d=PASSES, test_e=PASSES)
    result.assert_outcomes(passed=15, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_crash_in_the_only_test_is_one_failure(pytester: pytest.Pytester) -> None:
    result = run_suite(pytester, 1, test_a=KILLED)
    result.assert_outcomes(failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_crash_before_the_last_test_leaves_that_to_the_next_worker(pytester: pytest.Pytester) -> None:
    result = run_suite(pytester, 1, test_a=PASSES, test_b=KILLED + "def test_last(): pass\n")
    result.assert_outcomes(passed=4, failed=1)


def test_two_workers_that_crash_are_two_failures(pytester: pytest.Pytester) -> None:
    result = run_suite(pytester, 2, test_a=KILLED + PASSES, test_b=KILLED + PASSES, test_c=PASSES)
    result.assert_outcomes(passed=9, failed=2)


def test_run_ends_when_too_many_workers_crash(pytester: pytest.Pytester) -> None:
    result = run_suite(pytester, 1, **{f"test_{letter}": KILLED for letter in "abcdefg"}, test_h=PASSES)
    result.stdout.fnmatch_lines(["*maximum crashed workers reached: 4*"])
    assert result.ret != pytest.ExitCode.OK
