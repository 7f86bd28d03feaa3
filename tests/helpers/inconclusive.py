"""pytest plugin: a few tests may skip as inconclusive, because the machine was too busy to judge; more of them fail.

On a machine that other programs evidently keep busy, any number may.
"""

from __future__ import annotations

import os
import time
from typing import Final

import pytest

MAX_INCONCLUSIVE: Final = 3
BUSY_LOAD: Final = 4.0
"""A load average of this many processes for each core does not come from the suite, but from other programs."""
LATE_MS: Final = 5.0
"""A machine that wakes a sleeping process later than this, one time in fifty, is too busy to judge times."""
PREFIX: Final = "inconclusive: "
"""How the reason of such a skip begins."""


def pytest_configure(config: pytest.Config) -> None:
    """Count where the reports of all workers arrive."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Limit())


def skip_if_busy() -> None:
    """Skip the rest of a test as inconclusive if this machine wakes sleeping processes late: it cannot judge times."""
    late_ms = []
    for _ in range(100):
        begun_s = time.monotonic()
        time.sleep(0.005)
        late_ms.append((time.monotonic() - begun_s - 0.005) * 1000)
    if sorted(late_ms)[-3] > LATE_MS:
        pytest.skip(f"{PREFIX}this machine woke sleeping processes {sorted(late_ms)[-3]:.0f} ms late")


class _Limit:
    """Turns every inconclusive skip after the first :data:`MAX_INCONCLUSIVE` into a failure."""

    def __init__(self) -> None:
        self._count = 0

    @pytest.hookimpl(tryfirst=True)  # before the plugins that count and print failures
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.skipped or not isinstance(report.longrepr, tuple):
            return
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(PREFIX):
            return
        self._count += 1
        if self._count > MAX_INCONCLUSIVE and not _is_evidently_busy():
            report.outcome = "failed"
            report.longrepr = (
                f"{reason} (inconclusive test number {self._count}; a run may have {MAX_INCONCLUSIVE}, "
                "so repeat it on a machine that is less busy)"
            )


def _is_evidently_busy() -> bool:
    """Return whether more processes than the suite's own have wanted to run in the last five minutes."""
    return hasattr(os, "getloadavg") and os.getloadavg()[1] > BUSY_LOAD * (os.cpu_count() or 1)
