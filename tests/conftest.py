"""What tests of every room share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import leaks
from tests.helpers.brokers import Mosquitto

CAPTURE = Path(__file__).parents[1].parent / "shared" / "data" / "stinger_capture_part1.csv"

# A shell starts what it puts in the background with Ctrl-C ignored, and every process that a test starts would inherit
# that; a handler is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--dut``: the device that the bench's scenarios are run against; see ``stinger hil run --help``."""
    parser.addoption("--dut", default="emulated", help="Device under test of tests/hil/test_bench.py.")


# Hypothesis fails an example that takes longer than 200 ms, which on a busy machine says nothing.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    """Fail a test that leaves a process running or a file open."""
    if not leaks.SUPPORTED:
        yield
        return
    before = leaks.descriptors(), leaks.children()
    yield
    assert leaks.new_leaks(before) == []


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A real broker on loopback, running."""
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def capture_csv() -> Path:
    """The real recording, where there is one beside the checkout."""
    if not CAPTURE.is_file():
        pytest.skip("no real recording beside this checkout")
    return CAPTURE
