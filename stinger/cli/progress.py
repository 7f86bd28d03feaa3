"""A progress bar for long work, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from stinger.cli.streams import unguarded


@contextmanager
def progress_bar(label: str, length: int) -> Iterator[Callable[[int], object]]:
    """Show a bar of ``length`` steps on stderr, if that is a terminal; yield a function that advances it by n steps."""
    if not sys.stderr.isatty() or length < 1:
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=unguarded(sys.stderr)) as bar:
        yield bar.update
