"""The threshold of the decision: the level of the envelope at which the wheels go on."""

from __future__ import annotations

from typing import Final, NewType

from stinger.errors import InputError

Threshold = NewType("Threshold", float)
"""A number from 0.05 to 0.95."""

LOWEST_THRESHOLD: Final = 0.05
HIGHEST_THRESHOLD: Final = 0.95
THRESHOLD_EXPECTED: Final = f"a number from {LOWEST_THRESHOLD} to {HIGHEST_THRESHOLD}"


def parse_threshold(value: object) -> Threshold:
    """Return ``value``, a number from TOML, JSON or an option, as a threshold.

    Raises :class:`InputError` for another type and for a number out of range, NaN included.

    >>> parse_threshold(0.5)
    0.5
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not LOWEST_THRESHOLD <= value <= HIGHEST_THRESHOLD
    ):
        raise InputError(f"expected {THRESHOLD_EXPECTED}, not {value!r:.60}")
    return Threshold(float(value))
