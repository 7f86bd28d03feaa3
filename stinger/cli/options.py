"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from stinger.logs.reading import CAPTURE_EVERY, CAPTURE_RATE_HZ
from stinger.shots import MIN_SHOT_GAP_MS

LONGEST_MS = 3_600_000
"""The longest duration that an option accepts: an hour."""

MAX_SEED = 2**32 - 1
"""The largest seed that scikit-learn accepts."""


ANY_PATH: Final = click.Path(readable=False)
"""A path as it was given. click would refuse an unreadable one with three lines; the error when opening it is one line."""

ANY_FOLDER: Final = click.Path(readable=False, path_type=Path)
"""The same as a :class:`~pathlib.Path`."""


class FiniteRange(click.FloatRange):
    """A range of numbers that excludes ``nan``."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return ``value`` as a float within the range."""
        number = super().convert(value, param, ctx)
        if number != number:  # noqa: PLR0124 - nan is the one number that differs from itself
            self.fail("nan is not a number.", param, ctx)
        return float(number)


class Milliseconds(FiniteRange):
    """A duration in ms, at least ``lowest`` and at most an hour; a whole number stays an ``int``, as files show it."""

    def __init__(self, lowest: float = 0) -> None:
        super().__init__(lowest, LONGEST_MS)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return ``value`` as a number within the range."""
        number = super().convert(value, param, ctx)
        return int(number) if number.is_integer() else number


rate_option = click.option(
    "--rate",
    "rate_hz",
    type=FiniteRange(0, 1e6, min_open=True),
    default=CAPTURE_RATE_HZ,
    show_default=True,
    help="Rows per second in a capture CSV of older firmware.",
)
every_option = click.option(
    "--every",
    type=click.IntRange(1, 1_000_000),
    default=CAPTURE_EVERY,
    show_default=True,
    help="Keep every Nth row of a capture CSV of older firmware.",
)
min_shot_gap_option = click.option(
    "--min-shot-gap-ms",
    type=Milliseconds(),
    default=MIN_SHOT_GAP_MS,
    show_default=True,
    help="Reject a trigger edge that comes sooner than this after the last accepted shot.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
