"""Progress of long work, shown to people only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress_bar(label: str, length: int) -> Iterator[Callable[[int], object]]:
    """A bar on stderr while the block runs, if that is a terminal; the block is given what moves it on by n."""
    if not sys.stderr.isatty() or length < 1:
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update
