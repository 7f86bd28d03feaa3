"""How the suite itself runs: time limits, inconclusive tests, workers."""

from __future__ import annotations

import signal
from typing import Final

import pytest

from tests.helpers.inconclusive import MAX_INCONCLUSIVE
from tests.helpers.parallel import BUSY, PROGRAMS
from tests.helpers.places import ROOT

HANGS = """
import asyncio, subprocess, sys, time
import pytest

@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()
    print("ended the child")

@pytest.mark.timeout(1)
async def test_in_a_loop(child):
    await asyncio.sleep(600)

@pytest.mark.timeout(1)
def test_that_waits_for_a_child(child):
    child.wait()

def test_after_them():
    pass
"""

PLUGINS = ("-p", "xdist", "-p", "pytest_asyncio", "-p", "pytest_timeout")

INCONCLUSIVE = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_of_time(number):
    pytest.skip("inconclusive: this computer woke up 14 ms late")
"""


@pytest.fixture(autouse=True)
def _few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the suites that the tests run load only the plugins that they name."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="without SIGALRM a test that hangs ends its worker")
def test_hanging_test_fails_and_its_fixtures_clean_up(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(HANGS)
    result = pytester.runpytest_subprocess(*PLUGINS, "-n", "1", "-rA")
    result.assert_outcomes(passed=1, failed=2)
    assert result.stdout.str().count("ended the child") == 2


CALM: Final = (0.0, 0.0, 0.0)
BUSY_MACHINE: Final = (0.0, 1000.0, 0.0)


@pytest.mark.parametrize(
    ("load", "workers", "count", "failed"),
    [
        (CALM, 0, MAX_INCONCLUSIVE, 0),
        (CALM, 2, MAX_INCONCLUSIVE + 2, 2),
        (BUSY_MACHINE, 0, MAX_INCONCLUSIVE + 2, 0),
    ],
)
def test_more_than_a_few_inconclusive_tests_fail_unless_other_programs_keep_the_machine_busy(
    pytester: pytest.Pytester, load: tuple[float, ...], workers: int, count: int, failed: int
) -> None:
    pytester.makeini(f"[pytest]\npythonpath = {ROOT}\n")
    pytester.makeconftest(f'import os; os.getloadavg = lambda: {load}\npytest_plugins = ["tests.helpers.inconclusive"]')
    pytester.makepyfile(INCONCLUSIVE.format(count=count))
    result = pytester.runpytest_subprocess("-p", "xdist", "-n", str(workers))
    result.assert_outcomes(skipped=count - failed, failed=failed)
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)


@pytest.mark.parametrize("beginning", [*BUSY, *PROGRAMS])
def test_modules_that_are_started_in_order_are_still_there(beginning: str) -> None:
    assert any(path.relative_to(ROOT).as_posix().startswith(beginning) for path in (ROOT / "tests").rglob("test_*.py"))
