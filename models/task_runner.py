"""Run long work on workers and show its progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from models.workers import Workers, run_parallel

Task = TypeVar("Task")
Result = TypeVar("Result")

ProgressBar = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
"""Takes a label and the number of steps; a context manager that shows them and yields a function to advance by n steps."""


@contextmanager
def no_progress_bar(label: str, length: int) -> Iterator[Callable[[int], object]]:
    """Show nothing; usable as a :data:`ProgressBar`."""
    del label, length
    yield lambda _: None


@dataclass(frozen=True, slots=True)
class TaskRunner:
    """Runs tasks on ``workers`` and shows the number of finished ones with ``bar``."""

    workers: Workers = field(default_factory=Workers)
    bar: ProgressBar = no_progress_bar

    def run(self, label: str, function: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
        """Return ``function`` of each of ``tasks``, in the order of completion.

        See :func:`~models.workers.run_parallel`.
        """
        results = []
        with self.bar(label, len(tasks)) as progress, closing(run_parallel(function, tasks, self.workers)) as done:
            for result in done:
                results.append(result)
                progress(1)
        return results
