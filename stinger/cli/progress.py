"""The progress of long work: a bar on a terminal, or numbers for another program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import click

from stinger.cli.streams import unguarded

ProgressReport = Callable[[str, int, int], object]
"""Called with the label of the work, the number of steps done, and the number of all steps."""

_REPORT: Final[ContextVar[ProgressReport | None]] = ContextVar("progress_report", default=None)


@contextmanager
def progress_reported_to(report: ProgressReport) -> Iterator[None]:
    """Have ``report`` called at the start of long work and with each advance in the block, instead of showing bars."""
    before = _REPORT.set(report)
    try:
        yield
    finally:
        _REPORT.reset(before)


@contextmanager
def progress_bar(label: str, length: int) -> Iterator[Callable[[int], object]]:
    """Show a bar of ``length`` steps on stderr, if that is a terminal; yield a function that advances it by n steps."""
    if _REPORT.get() is not None or length < 1 or not sys.stderr.isatty():
        with reported_progress(label, length) as advance:
            yield advance
    else:
        with click.progressbar(length=length, label=label, file=unguarded(sys.stderr)) as bar:
            yield bar.update


@contextmanager
def reported_progress(label: str, length: int) -> Iterator[Callable[[int], object]]:
    """Show nothing, but report progress if it is to be reported; yield a function that advances it by n steps."""
    report, done = _REPORT.get(), 0

    def advance(steps: int) -> None:
        nonlocal done
        done += steps
        if report is not None and length >= 1:
            report(label, done, length)

    advance(0)
    yield advance
