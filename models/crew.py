"""Who does long work, and where its progress shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from models.spread import Workers, spread

Task = TypeVar("Task")
Result = TypeVar("Result")

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
"""Shows a stage of so many steps under a label while a block runs; the block is given what moves it on by n."""


@contextmanager
def no_bar(label: str, length: int) -> Iterator[Callable[[int], object]]:
    """A :data:`Bar` that shows nothing."""
    del label, length
    yield lambda _: None


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers, and the bar that shows how far they are."""

    workers: Workers = field(default_factory=Workers)
    bar: Bar = no_bar

    def do(self, label: str, function: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
        """``function`` of each of ``tasks``, in the order they were done; see :func:`~models.spread.spread`."""
        results = []
        with self.bar(label, len(tasks)) as progress, closing(spread(function, tasks, self.workers)) as done:
            for result in done:
                results.append(result)
                progress(1)
        return results
