"""Runs of the bench for the page: the scenarios there are, starting a run, and the reports of past ones.

The bench (``stinger hil``) only meets the rest of the program through its commands and their files.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.web.action_settings import ActionSettings
from service.web.actions import Kind
from service.web.served_files import file_url
from stinger.errors import InputError
from stinger.files import os_errors, read_bytes
from stinger.packages import python_module
from stinger.private_files import private_files
from stinger.recording_name import recording_stem, stem_time
from stinger.wording import counted, printable

BENCH_FOLDER: Final = "bench"
FINISHED_CODES: Final = frozenset({0, 1})
"""Exit codes of a run that came to its end: every limit kept, or one missed."""
_REPORT: Final = "report.html"
_RECORD: Final = "record.json"
_LIST_WITHIN_S: Final = 60.0
_LARGEST_RECORD: Final = 200_000_000


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that the bench can run."""

    name: str
    title: str
    seconds: float


@dataclass(frozen=True, slots=True)
class BenchReport:
    """A past run."""

    time: str
    """When it began, UTC."""
    summary: str
    url: str


def list_scenarios() -> tuple[Scenario, ...]:
    """Return the scenarios of the bench's default set. Takes a second: not for an event loop.

    Raises :class:`InputError` if the bench is not installed.
    """
    command = python_module("stinger", "hil", "list", "--json")
    try:
        listed = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=_LIST_WITHIN_S, check=False
        )
        if listed.returncode:
            lines = listed.stderr.strip().splitlines()
            raise InputError(printable(lines[-1].removeprefix("Error: ")) if lines else "'stinger hil list' failed")
        entries = json.loads(listed.stdout)
        return tuple(
            Scenario(name, str(one["title"]), float(one["seconds"])) for name, one in entries.items() if one["default"]
        )
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"'stinger hil list' cannot be read: {error}") from error


def start_run(settings: ActionSettings, names: Sequence[str]) -> None:
    """Start a run of the scenarios ``names`` against an emulated blaster. Raises :class:`InputError`."""
    if not names:
        raise InputError("choose at least one scenario")
    settings.actions.check_free(Kind.BENCH)
    folder = settings.data_dir / BENCH_FOLDER / recording_stem(time.time())
    with private_files(settings.data_dir), os_errors(folder):
        _delete_empty(folder.parent)
        folder.mkdir(parents=True)
    files = [f"--html={folder / _REPORT}", f"--json={folder / _RECORD}"]
    settings.actions.start(Kind.BENCH, ["hil", "run", *files, "--", *names], finished_codes=FINISHED_CODES)


def past_reports(data_dir: Path) -> list[BenchReport]:
    """Return the reports of past runs, the newest first. Reads their records: not for an event loop."""
    try:
        folders = sorted((path for path in (data_dir / BENCH_FOLDER).iterdir() if path.is_dir()), reverse=True)
    except OSError:
        return []
    return [_report(folder) for folder in folders if (folder / _REPORT).is_file()]


def _report(folder: Path) -> BenchReport:
    started = stem_time(folder.name)
    return BenchReport(
        time="?" if started is None else f"{started:%Y-%m-%d %H:%M}",
        summary=_summary(folder),
        url=file_url(BENCH_FOLDER, folder.name, _REPORT),
    )


def _summary(folder: Path) -> str:
    """Return the number of scenarios, and how many had which verdict."""
    try:
        record = json.loads(read_bytes(folder / _RECORD, at_most=_LARGEST_RECORD))
        verdicts = Counter(str(one["verdict"]) for one in record["scenarios"])
    except (InputError, ValueError, KeyError, TypeError, RecursionError):
        return "its record cannot be read"
    counts = ", ".join(f"{amount} {printable(verdict)[:20]}" for verdict, amount in verdicts.most_common())
    return f"{counted(sum(verdicts.values()), 'scenario')}: {counts}"


def _delete_empty(runs: Path) -> None:
    """Delete the folders of runs that were cancelled before they wrote anything."""
    with suppress(OSError):
        for folder in runs.iterdir():
            with suppress(OSError):
                folder.rmdir()
