"""pytest plugin: a few tests may skip as inconclusive, because the machine was too busy to judge; more of them fail."""

from __future__ import annotations

from typing import Final

import pytest

MAX_INCONCLUSIVE: Final = 3
PREFIX: Final = "inconclusive: "
"""How the reason of such a skip begins."""


def pytest_configure(config: pytest.Config) -> None:
    """Count where the reports of all workers arrive."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Limit())


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
        if self._count > MAX_INCONCLUSIVE:
            report.outcome = "failed"
            report.longrepr = (
                f"{reason} (inconclusive test number {self._count}; a run may have {MAX_INCONCLUSIVE}, "
                "so repeat it on a machine that is less busy)"
            )
