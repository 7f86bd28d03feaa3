"""Runs the tests that failed in the last run of pytest again, each alone.

A test that passes alone is flaky, not broken. Run: python -m scripts.repeat_failed [OPTIONS OF PYTEST], in the folder
in which pytest ran.

The exit code is 0 when all passed alone. It is 1 when one failed alone too, or when more than three had failed: so many
are no accident, and none is run again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import click

MAX_REPEATED: Final = 3
"""When more tests failed, none is run again."""

_LAST_FAILED: Final = Path(".pytest_cache/v/cache/lastfailed")
"""Where pytest's cache has the ids of the tests that failed; the run's own process writes it, also with pytest-xdist."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--flaky-to", type=click.Path(path_type=Path), help="Append the ids of flaky tests to this file, one a line."
)
@click.argument("pytest_options", nargs=-1, type=click.UNPROCESSED)
def repeat_failed(flaky_to: Path | None, pytest_options: tuple[str, ...]) -> None:
    """Run the tests that failed in the last run of pytest again, each alone."""
    tests = _last_failed()
    if not tests:
        sys.exit("No test is recorded as failed, so none is run again: see the errors above.")
    if len(tests) > MAX_REPEATED:
        sys.exit(f"{len(tests)} tests failed. None is run again, as that is done for {MAX_REPEATED} at most.")
    outcomes = {test: _outcome_alone(test, pytest_options) for test in tests}
    click.echo("\nTests that failed, and were run again alone:")
    for test, outcome in outcomes.items():
        click.echo(f"{test}: failed beside other tests, {_described(outcome)}")
    flaky = [test for test, outcome in outcomes.items() if outcome == "passed"]
    if flaky_to is not None:
        with flaky_to.open("a", encoding="utf-8") as file:
            file.writelines(f"{test}\n" for test in flaky)
    sys.exit(0 if len(flaky) == len(tests) else 1)


def _last_failed() -> list[str]:
    """Return the ids of the tests that failed in the last run, sorted."""
    try:
        return sorted(json.loads(_LAST_FAILED.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return []


def _outcome_alone(test: str, pytest_options: tuple[str, ...]) -> str:
    """Run one test in a process of its own; return ``passed``, ``skipped`` or ``failed``."""
    click.echo(f"\n== again, alone: {test}")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # -m "" also selects tests whose marker (slow) the options in pyproject.toml deselect.
        command = [sys.executable, "-m", "pytest", "-m", "", f"--junit-xml={report}", *pytest_options, test]
        if subprocess.run(command, check=False).returncode:
            return "failed"
        suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314 - written by pytest just now
        return "passed" if suite is not None and suite.get("skipped") == "0" else "skipped"


def _described(outcome: str) -> str:
    """Return the words for the outcome of a test that ran alone."""
    return {
        "passed": "passed alone: flaky, to be mended",
        "skipped": "skipped alone, which shows nothing",
        "failed": "failed alone too",
    }[outcome]


if __name__ == "__main__":
    repeat_failed()
