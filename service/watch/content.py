"""The content of a message from outside, read as what it should be: safe to show, and never an error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from stinger.wording import printable

_MOST_CHARACTERS: Final = 200
_MOST_TEXTS: Final = 100
_MOST_NUMBERS: Final = 1_000
_LARGEST: Final = 1e12


def parse_content(payload: bytes) -> Content | None:
    """Return the JSON object in ``payload``; ``None`` if there is none."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return Content(document) if isinstance(document, dict) else None


class Content:
    """The values of a JSON object. A value of another type than the one asked for counts as missing."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """Return the start of a text, for a terminal; empty if there is none."""
        value = self._values.get(name)
        return printable(value[:_MOST_CHARACTERS]) if isinstance(value, str) else ""

    def texts(self, name: str) -> dict[str, str]:
        """Return the texts in an object by their names, both as :meth:`text` returns them."""
        values = self._values.get(name)
        pairs = list(values.items())[:_MOST_TEXTS] if isinstance(values, dict) else []
        return {
            printable(key[:_MOST_CHARACTERS]): printable(text[:_MOST_CHARACTERS])
            for key, text in pairs
            if isinstance(text, str)
        }

    def flag(self, name: str) -> bool:
        """Return whether a value is true."""
        return self._values.get(name) is True

    def number(self, name: str) -> float | None:
        """Return a number; ``None`` if there is none of a size that makes sense."""
        return _number(self._values.get(name))

    def numbers(self, name: str) -> list[float | None]:
        """Return the numbers in a list, with ``None`` for all else in it."""
        values = self._values.get(name)
        return [_number(value) for value in values[:_MOST_NUMBERS]] if isinstance(values, list) else []


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST <= value <= _LARGEST:
        return None
    return float(value) if math.isfinite(value) else None
