"""Durations and sizes as people write them: ``30d``, ``10GB``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from stinger.errors import InputError

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BYTES: Final = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
# Ten digits: enough for any disk, and short enough to print.
_QUANTITY: Final = re.compile(r"(\d{1,10}(?:\.\d{1,9})?) ?([A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration of more than 0."""

    text: str = field(compare=False)
    """As the user wrote it."""
    seconds: float

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Size:
    """A size of more than 0."""

    text: str = field(compare=False)
    """As the user wrote it."""
    bytes: int

    def __str__(self) -> str:
        return self.text


def parse_duration(text: str) -> Duration:
    """Return ``text``, such as ``30d`` or ``12h``, as a duration. Raises :class:`InputError`.

    >>> parse_duration("30d").seconds, parse_duration("1.5h").seconds
    (2592000.0, 5400.0)
    """
    return Duration(text, _quantity(text, _SECONDS, "a duration such as 30d, 12h or 90m"))


def parse_size(text: str) -> Size:
    """Return ``text``, such as ``10GB``, as a size; a kB has 1000 bytes. Raises :class:`InputError`.

    >>> parse_size("10GB").bytes, parse_size("1.5 mb").bytes
    (10000000000, 1500000)
    """
    units = {unit.lower(): factor for unit, factor in _BYTES.items()}
    return Size(text, math.ceil(_quantity(text, units, "a size such as 10GB or 500MB")))


def size_text(count: int) -> str:
    """Return ``count`` bytes as text with a unit.

    >>> size_text(999), size_text(1234), size_text(64_000_000), size_text(2_500_000_000_000)
    ('999 B', '1.2 kB', '64.0 MB', '2.5 TB')
    """
    unit, factor = next((item for item in reversed(_BYTES.items()) if count >= item[1]), ("B", 1))
    return f"{count} B" if factor == 1 else f"{count / factor:,.1f} {unit}"


def _quantity(text: str, units: Mapping[str, int], expected: str) -> float:
    match = _QUANTITY.fullmatch(text.strip())
    factor = units.get(match[2].lower()) if match else None
    value = float(match[1]) * factor if match and factor else 0.0
    if value <= 0:
        raise InputError(f"expected {expected}, not {text!r:.60}")
    return value
