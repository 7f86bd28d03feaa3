"""Format numbers, quotations and URLs in messages to users."""

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


def without_user(text: str) -> str:
    """Return ``text``, which may be a URL, for messages: dots replace the part that may hold a user and a password.

    >>> without_user("mqtt://anna:sesame@host:1883"), without_user("replay:~/a@b.bin")
    ('mqtt:...@host:1883', 'replay:~/a@b.bin')
    """
    before, at, after = text.rpartition("@")
    scheme, colon, user = before.partition(":")
    return f"{scheme}:...@{after}" if at and colon and ":" in user else text
