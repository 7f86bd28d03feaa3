"""Draw many pictures of one kind in several processes."""

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

_PICTURES_PER_PROCESS: Final = 8
"""Drawing this many pictures takes longer than starting one more process and laying out its first picture."""


def draw_excerpts(
    series: Sequence[Series],
    *,
    processes: int | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> None:
    """Write the picture of each job of each series to its path; ``progress(1)`` is called after each.

    By default the number of processes depends on the numbers of cores and pictures. Raises
    :class:`~stinger.errors.FileError` for the first picture that cannot be written.
    """
    tasks = [(look, excerpt, path) for look, jobs in series for excerpt, path in jobs]
    if processes is None:
        processes = min(os.cpu_count() or 1, len(tasks) // _PICTURES_PER_PROCESS + 1)
    # Workers only draw and this process writes the files, so a worker that is killed leaves no incomplete file.
    with closing(run_parallel(_draw, tasks, Workers(jobs=processes))) as pictures:
        for path, png in pictures:
            write_bytes(path, png)
            progress(1)


def _draw(task: tuple[ExcerptLook, Excerpt, Path]) -> tuple[Path, bytes]:
    look, excerpt, path = task
    return path, png_bytes(_picture_of(look).draw(excerpt), look.dpi)


@lru_cache(maxsize=1)
def _picture_of(look: ExcerptLook) -> ExcerptPicture:
    """Return the layout for ``look``; only the last one is cached, because one series is drawn after another."""
    return ExcerptPicture(look)
