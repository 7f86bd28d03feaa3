"""Format numbers and quotations in messages to users."""

from __future__ import annotations

from typing import Final

_QUOTED_CHARACTERS: Final = 30


def counted(number: int, noun: str) -> str:
    """Return ``number`` and ``noun``, with an s unless ``number`` is 1.

    >>> counted(1, "sample"), counted(2800, "sample")
    ('1 sample', '2,800 samples')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def quoted(text: str) -> str:
    r"""Return the start of ``text`` in quotes; control characters and others that do not print are escaped.

    >>> print(quoted("1\x1b[2J"))
    '1\x1b[2J'
    """
    shown = text[:_QUOTED_CHARACTERS]
    return f"'{shown if shown.isprintable() else repr(shown)[1:-1]}'"
