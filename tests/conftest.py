"""Options, settings and fixtures that all tests share."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import leaks
from tests.helpers.brokers import Mosquitto
from tests.helpers.places import ROOT

pytest_plugins = [
    "tests.helpers.doctests",
    "tests.helpers.file_systems",
    "tests.helpers.storage",
    "pytester",
    "tests.helpers.inconclusive",
    "tests.helpers.parallel",
]

CAPTURE = ROOT.parent / "shared" / "data" / "stinger_capture_part1.csv"

# A shell starts background jobs with SIGINT (Ctrl-C) ignored, and every process that a test starts would inherit that.
# A handler is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The tests start some hundred processes, each of which would compile all modules of the program again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# No deadline: by default Hypothesis fails an example that takes longer than 200 ms, and on a busy machine any may.
# With the blob, a failure prints a decorator that repeats exactly that example on another machine.
# "many" is for .ci/run, beside the suite: pytest -m hypothesis --hypothesis-profile=many
settings.register_profile("stinger", deadline=None, print_blob=True, max_examples=40)
settings.register_profile("many", parent=settings.get_profile("stinger"), max_examples=200)
settings.load_profile("stinger")


# Collecting imports some 3,000 modules, of which nothing is garbage: the collector looks through them neither while they
# are imported nor, as pytest_collection_finish freezes them, again and again while tests run.
gc.disable()


def pytest_collection_finish() -> None:
    """Switch the garbage collector on for the tests, without what was imported so far."""
    gc.freeze()
    gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--dut``, the device that the bench's scenarios run against; see ``stinger hil run --help``."""
    parser.addoption("--dut", default="emulated", help="Device under test of tests/hil/test_bench.py.")


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    """Fail a test that leaves a child process running or a file open."""
    if not leaks.SUPPORTED:
        yield
        return
    before = leaks.snapshot()
    yield
    assert leaks.new_leaks(before) == []


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A real broker, running on loopback."""
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def capture_csv() -> Path:
    """The real recording beside the checkout; skips where there is none."""
    if not CAPTURE.is_file():
        pytest.skip("no real recording beside this checkout")
    return CAPTURE
