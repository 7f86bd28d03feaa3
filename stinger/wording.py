"""Words in what a user reads."""

from __future__ import annotations

from typing import Final

_QUOTED_CHARACTERS: Final = 30


def counted(number: int, noun: str) -> str:
    """``number`` and ``noun``, which takes an s for all but one.

    >>> counted(1, "sample"), counted(2800, "sample")
    ('1 sample', '2,800 samples')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def quoted(text: str) -> str:
    r"""The beginning of ``text`` from a file, in quotes; what a terminal might obey, or not show, is escaped.

    >>> print(quoted("1\x1b[2J"))
    '1\x1b[2J'
    """
    shown = text[:_QUOTED_CHARACTERS]
    return f"'{shown if shown.isprintable() else repr(shown)[1:-1]}'"
