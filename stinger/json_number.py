"""Numbers in JSON and TOML, whose integers may be longer than a float can hold."""

from __future__ import annotations

import math


def finite_number(value: object) -> float | None:
    """Return ``value`` as a float if it is a finite number that a float can hold; ``None`` for anything else.

    >>> finite_number(3), finite_number(float("nan")), finite_number(True), finite_number(10**400)
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
