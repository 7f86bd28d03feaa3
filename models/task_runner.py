"""Who does long work, and where its progress shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from models.workers import Workers, run_parallel

Task = TypeVar("Task")
Result = TypeVar("Result")

ProgressBar = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
"""Shows a stage of so many steps under a label while a block runs; the block is given what moves it on by n."""


@contextmanager
def no_progress_bar(label: str, length: int) -> Iterator[Callable[[int], object]]:
    """A :data:`ProgressBar` that shows nothing."""
    del label, length
    yield lambda _: None


@dataclass(frozen=True, slots=True)
class TaskRunner:
    """The workers, and the bar that shows how far they are."""

    workers: Workers = field(default_factory=Workers)
    bar: ProgressBar = no_progress_bar

    def run(self, label: str, function: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
        """``function`` of each of ``tasks``, in the order they were done; see :func:`~models.workers.spread`."""
        results = []
        with self.bar(label, len(tasks)) as progress, closing(run_parallel(function, tasks, self.workers)) as done:
            for result in done:
                results.append(result)
                progress(1)
        return results
