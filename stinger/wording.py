"""Words in what a user reads."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """``number`` and ``noun``, which takes an s for all but one.

    >>> counted(1, "sample"), counted(2800, "sample")
    ('1 sample', '2,800 samples')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
