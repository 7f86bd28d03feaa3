"""What a person marked in a recording: stretches to leave out, and trigger edges that were not shots.

Marks are kept in the sidecar of a recording (:mod:`stinger.logs.marked`) and in bundles (:mod:`stinger.logs.bundle`).
Their times are in whole milliseconds after the first sample of the recording, so they stay right while a recording
grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stinger.errors import InputError
from stinger.json_number import finite_number
from stinger.wording import counted

SAME_EDGE_MS: Final = 5
"""A mark belongs to the trigger edge that is at most this far from it: half the time between two samples."""
_MARKS_MAX: Final = 10_000
_LATEST_MS: Final = 10 * 366 * 86_400_000

Stretch = tuple[int, int]
"""From and to, inclusive, in ms after the first sample."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one recording; in order of time, and ``left_out`` without overlaps.

    Build them with :func:`make_marks`, which brings any marks into this form.
    """

    left_out: tuple[Stretch, ...] = ()
    """Stretches that neither training nor evaluation uses."""
    not_shots: tuple[int, ...] = ()
    """Times of trigger edges that were not shots."""

    def __bool__(self) -> bool:
        """Return whether anything is marked."""
        return bool(self.left_out or self.not_shots)

    @property
    def left_out_ms(self) -> int:
        """Total length of the stretches."""
        return sum(to_ms - from_ms for from_ms, to_ms in self.left_out)

    def leave_out(self, from_ms: int, to_ms: int) -> Marks:
        """Return these marks with one more stretch.

        Raises :class:`InputError` if ``to_ms`` is not after ``from_ms``.
        """
        return make_marks([*self.left_out, (from_ms, to_ms)], self.not_shots)

    def use_again(self, from_ms: int, to_ms: int) -> Marks:
        """Return these marks without what is left out between the two times."""
        kept = [(first, min(last, from_ms)) for first, last in self.left_out if first < from_ms]
        kept += [(max(first, to_ms), last) for first, last in self.left_out if last > to_ms]
        return make_marks(kept, self.not_shots)

    def mark_not_shot(self, time_ms: int) -> Marks:
        """Return these marks with the trigger edge at ``time_ms`` marked as no shot."""
        return make_marks(self.left_out, [*self.not_shots, time_ms])

    def mark_shot(self, time_ms: int) -> Marks:
        """Return these marks without the mark 'not a shot' at ``time_ms``."""
        return make_marks(self.left_out, [time for time in self.not_shots if abs(time - time_ms) > SAME_EDGE_MS])

    def union(self, other: Marks) -> Marks:
        """Return these marks and those of ``other``, for the same samples, together."""
        return make_marks([*self.left_out, *other.left_out], [*self.not_shots, *other.not_shots])

    def text(self) -> str:
        """Return what is marked, for people; empty if nothing is.

        >>> Marks(((1000, 8500),), (31200,)).text()
        '7.5 s left out, 1 trigger edge not a shot'
        """
        parts = [f"{self.left_out_ms / 1000:.1f} s left out"] if self.left_out else []
        parts += [f"{counted(len(self.not_shots), 'trigger edge')} not a shot"] if self.not_shots else []
        return ", ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Return the marks as JSON-ready values, which :func:`parse_marks` reads."""
        return {"left_out": [list(stretch) for stretch in self.left_out], "not_shots": list(self.not_shots)}


def make_marks(left_out: Iterable[Stretch], not_shots: Iterable[int]) -> Marks:
    """Return marks in order, with stretches that touch joined. Raises :class:`InputError` for impossible times.

    >>> make_marks([(500, 900), (100, 600)], [7, 3, 7])
    Marks(left_out=((100, 900),), not_shots=(3, 7))
    """
    joined: list[Stretch] = []
    for from_ms, to_ms in sorted(left_out):
        if not 0 <= from_ms < to_ms <= _LATEST_MS:
            raise InputError(
                f"a stretch from {_seconds(from_ms)} to {_seconds(to_ms)}: expected two times of 0 s or more, the earlier first"
            )
        if joined and from_ms <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(to_ms, joined[-1][1])
        else:
            joined.append((from_ms, to_ms))
    times = tuple(sorted(set(not_shots)))
    if times and not 0 <= times[0] <= times[-1] <= _LATEST_MS:
        raise InputError(f"no trigger edge can be at {_seconds(times[0])}: expected a time of 0 s or more")
    if len(joined) + len(times) > _MARKS_MAX:
        raise InputError(f"more than {_MARKS_MAX:,} marks in one recording")
    return Marks(tuple(joined), times)


def parse_marks(value: object) -> Marks:
    """Return what :meth:`Marks.to_json` returned. Raises ``ValueError`` with the reason for anything else."""
    if not isinstance(value, Mapping):
        raise ValueError("marks are not an object with left_out and not_shots")  # noqa: TRY004 - it is about a file's content
    stretches, times = value.get("left_out", []), value.get("not_shots", [])
    if not isinstance(stretches, list) or not all(map(_is_stretch, stretches)):
        raise ValueError("left_out is not a list of pairs of whole milliseconds")
    if not isinstance(times, list) or not all(map(_is_time, times)):
        raise ValueError("not_shots is not a list of whole milliseconds")
    try:
        return make_marks([(first, last) for first, last in stretches], times)
    except InputError as error:
        raise ValueError(str(error)) from error


def parse_file_marks(value: object) -> tuple[Marks, ...]:
    """Return the marks of each recording in a file from the list ``value``. Raises ``ValueError`` for anything else."""
    if not isinstance(value, list):
        raise ValueError("marks are not a list with an entry for each recording")  # noqa: TRY004
    return trimmed([parse_marks(one) for one in value])


def trimmed(marks: Sequence[Marks]) -> tuple[Marks, ...]:
    """Return ``marks``, one for each recording of a file, without the last ones that are empty."""
    count = max((number for number, one in enumerate(marks, start=1) if one), default=0)
    return tuple(marks[:count])


def _is_stretch(value: object) -> bool:
    return isinstance(value, list) and len(value) == len(("from", "to")) and all(map(_is_time, value))


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _seconds(time_ms: int) -> str:
    """Return a time for people; one of a file may be too long for a float."""
    seconds = finite_number(time_ms)
    return "an impossible time" if seconds is None else f"{seconds / 1000:g} s"
