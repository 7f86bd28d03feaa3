"""Many pictures of one kind, drawn by as many processes as pay."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Final

from models.workers import Workers, run_parallel
from replay.plots.excerpt import Excerpt
from replay.plots.excerpt_picture import ExcerptLook, ExcerptPicture
from replay.plots.style import png_bytes
from stinger.files import write_bytes

Job = tuple[Excerpt, Path]
Series = tuple[ExcerptLook, Sequence[Job]]

_WORTH_A_PROCESS: Final = 8
"""Pictures that take longer than it takes to start one more process and lay out the first picture there."""


def draw_excerpts(series: Sequence[Series], *, progress: Callable[[int], object] = lambda _: None) -> None:
    """Write the picture of each job of each series to its path; ``progress`` is told of each one written.

    Raises :class:`~stinger.errors.FileError` for the first one that cannot be written.
    """
    tasks = [(look, excerpt, path) for look, jobs in series for excerpt, path in jobs]
    processes = min(os.cpu_count() or 1, len(tasks) // _WORTH_A_PROCESS + 1)
    # Workers only draw: one that is ended half-way leaves no half a file, as this process writes them all.
    with closing(run_parallel(_draw, tasks, Workers(jobs=processes))) as pictures:
        for path, png in pictures:
            write_bytes(path, png)
            progress(1)


def _draw(task: tuple[ExcerptLook, Excerpt, Path]) -> tuple[Path, bytes]:
    look, excerpt, path = task
    return path, png_bytes(_picture_of(look).draw(excerpt), look.dpi)


@lru_cache(maxsize=1)
def _picture_of(look: ExcerptLook) -> ExcerptPicture:
    """The series come one after another, so the last one's layout is all that is worth keeping."""
    return ExcerptPicture(look)
