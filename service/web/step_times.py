"""How long the steps of earlier actions took, and the time left that follows from them for one that runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.base.logs import get_logger
from stinger.errors import FileError
from stinger.files import make_folder, read_bytes, write_bytes
from stinger.json_number import finite_number

FILE: Final = Path("page", "step-times.json")
"""Where the times are kept, within the data folder."""
LEAST_KNOWN: Final = 0.02
"""Before so much of an earlier run's time corresponds to what is done, the pace of this one is not known."""
_MAX_BYTES: Final = 1_000_000
_MOST_STEPS: Final = 200
_LOG: Final = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an action, by the label of its progress, and how long it took. The start has the empty label."""

    label: str
    seconds: float


def time_left_s(earlier: Sequence[Step], done: Sequence[Step], label: str, part: float, spent_s: float) -> float | None:
    """Return the time left for a whole action, in seconds, at its pace so far.

    ``earlier`` are the steps of an action of the same kind that has finished, ``done`` those that this one has behind
    it; ``part`` (0 to 1) of its step ``label`` is done, after ``spent_s`` since the start of that step. ``None`` as
    long as the pace is not known, or if the earlier action had no such step.
    """
    positions = [_position(earlier, done[:number], step.label) for number, step in enumerate(done)]
    current = _position(earlier, done, label)
    if current is None:
        return None
    then_s = sum(earlier[at].seconds for at in positions if at is not None) + part * earlier[current].seconds
    if then_s <= LEAST_KNOWN * sum(step.seconds for step in earlier):
        return None
    now_s = sum(step.seconds for step, at in zip(done, positions, strict=True) if at is not None) + spent_s
    left_then_s = (1 - part) * earlier[current].seconds + sum(step.seconds for step in earlier[current + 1 :])
    return left_then_s * now_s / then_s


def _position(earlier: Sequence[Step], before: Sequence[Step], label: str) -> int | None:
    """Return the position in ``earlier`` of a step ``label`` after the steps ``before``; ``None`` without one.

    If several have that label, the first of this action corresponds to the first of the earlier one, and so on.
    """
    number = sum(step.label == label for step in before)
    same = [at for at, step in enumerate(earlier) if step.label == label]
    return same[number] if number < len(same) else None


TYPICAL: Final[Mapping[str, tuple[Step, ...]]] = {
    "TRAIN": (
        Step("", 3.0),
        Step("Reading", 9.6),
        Step("Building", 1.4),
        Step("Fitting", 46.6),
        Step("Thresholds", 16.6),
    ),
    "PERSONAL_TRAINING": (
        Step("", 15.2),
        Step("Reading", 0.3),
        Step("Building", 2.3),
        Step("Building", 1.9),
        Step("Fitting", 3.0),
        Step("Building", 2.3),
        Step("Fitting", 4.3),
        Step("Building", 1.7),
        Step("Fitting", 3.8),
        Step("Building", 2.6),
        Step("Fitting", 10.4),
        Step("Building", 0.3),
        Step("Training on all", 7.1),
        Step("Building", 3.9),
        Step("Building", 4.4),
        Step("Fitting", 107.8),
        Step("Building", 3.8),
        Step("Fitting", 374.6),
        Step("Building", 2.6),
        Step("Fitting", 342.9),
        Step("Building", 5.0),
        Step("Fitting", 298.7),
        Step("Building", 0.4),
        Step("Training on all", 161.2),
        Step("Drawing", 3.6),
    ),
    "MEASURE": (Step("", 12.0), Step("Reading", 0.1), Step("Scoring", 0.8), Step("Thresholds", 14.1)),
}
"""Steps for the first action of a kind, measured with 6 to 15 minutes of recordings; kinds that are not here begin without."""


class StepTimes:
    """The steps of the newest finished action of each kind, kept in the file ``path``.

    Without a file they are kept in memory only. A file that cannot be read or written is ignored: only the time left is
    less exact then. Methods may be called from any thread.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._steps: dict[str, tuple[Step, ...]] = {} if path is None else _read(path)

    def of(self, kind: str) -> tuple[Step, ...]:
        """Return the steps of the newest finished action of ``kind``; those of a typical one if there was none."""
        return self._steps.get(kind) or TYPICAL.get(kind, ())

    def keep(self, kind: str, steps: Sequence[Step]) -> None:
        """Keep ``steps`` of an action that has finished.

        One with less than half of the steps of the one before did not do the whole work, and is not kept.
        """
        with self._lock:
            if not steps or 2 * len(steps) < len(self.of(kind)) or len(steps) > _MOST_STEPS:
                return
            self._steps = {**self._steps, kind: tuple(steps)}
            if self._path is not None:
                _write(self._path, self._steps)


def _read(path: Path) -> dict[str, tuple[Step, ...]]:
    with suppress(FileError, ValueError, TypeError, AttributeError, RecursionError):
        values = json.loads(read_bytes(path, at_most=_MAX_BYTES))
        return {str(kind): tuple(map(_step, steps)) for kind, steps in values.items()}
    return {}


def _step(value: Any) -> Step:
    label, seconds = value
    number = finite_number(seconds)
    if not isinstance(label, str) or number is None or number < 0:
        raise ValueError(value)
    return Step(label, number)


def _write(path: Path, steps: Mapping[str, Sequence[Step]]) -> None:
    values = {kind: [[step.label, round(step.seconds, 3)] for step in some] for kind, some in steps.items()}
    try:
        make_folder(path.parent)
        write_bytes(path, json.dumps(values).encode() + b"\n", lasting=False, secret=True)
    except FileError as error:
        _LOG.warning("step_times_not_kept", reason=str(error))
