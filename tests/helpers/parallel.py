"""pytest plugin: the whole suite runs in several processes of pytest-xdist, and tests that measure time run undisturbed.

Each worker takes one test module after another. A worker that runs a test marked ``calm`` holds a lock; tests that keep
the cores busy (see :data:`BUSY`) wait for it. The order of the modules keeps that wait short: those with ``calm``
tests start first, and the other workers meanwhile run those that start no programs, at a lower priority.

``pytest PATH`` runs in one process; ``-n NUMBER`` sets another number of workers, ``-n 0`` is one process.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.helpers.places import ROOT

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

try:
    import fcntl
except ImportError:  # Windows: tests are not kept apart
    fcntl = None  # type: ignore[assignment]

WORKERS: Final = (os.cpu_count() or 1) + 2
"""Two more than there are cores: tests that start programs wait for them half of the time."""

_gives_way: Final = pytest.StashKey[bool]()
"""Whether calm tests run beside the first test of this worker, unless that is one itself."""

PROGRAMS: Final = ("tests/deploy/", "tests/integration/", "tests/hil/cli/", "tests/service/cli/", "tests/test_")
"""Where most tests start programs; this and the next are beginnings of paths below the root of the checkout."""

BUSY: Final = (
    *("tests/integration/test_retraining.py", "tests/service/retraining/test_attempt.py", "tests/replay/cli/"),
    *("tests/models/test_trial.py", "tests/models/test_graph.py", "tests/models/storage/test_folder.py"),
    *("tests/service/retraining/", "tests/replay/", "tests/models/"),
)
"""Where tests train models or draw many pictures. The longest modules come first: short ones let all workers end
together.
"""

_NICE: Final = 5
"""By how much to lower the priority of a worker that begins beside calm tests; only root could raise it again."""

_LOCK_FILE: Final = ROOT / "pyproject.toml"
"""Any file of the checkout: it is only locked, never written."""


@pytest.hookimpl(tryfirst=True)  # before xdist, which reads the options in the same hook
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Use :data:`WORKERS` processes when the whole suite is run."""
    options = config.option
    if _is_worker(config) or not config.pluginmanager.hasplugin("xdist"):
        return
    is_whole_suite = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if is_whole_suite and options.numprocesses is None and not options.usepdb:
        options.numprocesses = WORKERS
    if options.numprocesses and options.dist == "no":
        options.dist = "loadfile"
        options.loadscopereorder = False  # keep the order of pytest_collection_modifyitems
    if options.numprocesses:
        # Each worker has a core to itself: more threads for a matrix product only get in each other's way.
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)  # pytest-xdist may be missing
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Schedule by module, with what a crashed worker left given to the others."""
    from tests.helpers.module_scheduling import ModuleScheduling  # noqa: PLC0415 - needs pytest-xdist

    return ModuleScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the modules for several workers; tests of one module keep their order."""
    if not _is_worker(config):
        return
    calm = {item.path for item in items if _is_calm(item)}
    items.sort(key=lambda item: _order(item.path, calm))
    config.stash[_gives_way] = bool(calm)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around pytest-timeout, which is not to count the wait for the lock
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a calm test while no busy one runs, and a busy one while no calm one runs."""
    if item.config.stash.get(_gives_way, False):  # true up to the worker's first test
        item.config.stash[_gives_way] = False
        if not _is_calm(item) and hasattr(os, "nice"):
            os.nice(_NICE)
    with _turn(item):
        return (yield)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _is_calm(item: pytest.Item) -> bool:
    return item.get_closest_marker("calm") is not None


def _starts_with(path: Path, beginnings: tuple[str, ...]) -> bool:
    return path.is_relative_to(ROOT) and path.relative_to(ROOT).as_posix().startswith(beginnings)


def _order(path: Path, calm: set[Path]) -> tuple[int, int]:
    """Return when to start the module at ``path``: lower numbers first."""
    if path in calm:
        return 0, 0
    for number, beginning in enumerate(BUSY):
        if _starts_with(path, (beginning,)):
            return 3, number
    if _starts_with(path, PROGRAMS):
        return 2, 0
    return (1 if _starts_with(path, ("tests/",)) else 4), 0  # last the doctests, which are short


@contextmanager
def _turn(item: pytest.Item) -> Iterator[None]:
    """Hold the lock: alone for a calm test, together with other busy tests for a busy one."""
    is_calm = _is_calm(item)
    if fcntl is None or not _is_worker(item.config) or not (is_calm or _starts_with(item.path, BUSY)):
        yield
        return
    with _LOCK_FILE.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX if is_calm else fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
