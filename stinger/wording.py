"""Format numbers, quotations and URLs in messages to users."""

from __future__ import annotations

from typing import Final
from unicodedata import category

_QUOTED_CHARACTERS: Final = 30


def counted(number: int, noun: str) -> str:
    """Return ``number`` and ``noun``, with an s unless ``number`` is 1.

    >>> counted(1, "sample"), counted(2800, "sample")
    ('1 sample', '2,800 samples')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def printable(text: str, *, keep: str = "", instead: str | None = None) -> str:
    r"""Return ``text``, which may come from outside, for a terminal or a line of a log.

    Characters that do not print are escaped, or replaced by ``instead``, except those in ``keep`` and spaces of all kinds. A
    terminal may obey control characters, a line break may begin a line that looks like another message, and characters that
    change the direction of writing may hide what is there.

    >>> print(printable("b1\x1b[2J\nready:"))
    b1\x1b[2J\nready:
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in keep or category(character) == "Zs"
        else instead or character.encode("unicode_escape").decode()
        for character in text
    )


def quoted(text: str) -> str:
    r"""Return the start of ``text`` in quotes; control characters and others that do not print are escaped.

    >>> print(quoted("1\x1b[2J"))
    '1\x1b[2J'
    """
    return f"'{printable(text[:_QUOTED_CHARACTERS])}'"


def without_user(text: str) -> str:
    """Return ``text``, which may be a URL, for messages: dots replace the part that may hold a user and a password.

    >>> without_user("mqtt://anna:sesame@host:1883"), without_user("replay:~/a@b.bin")
    ('mqtt:...@host:1883', 'replay:~/a@b.bin')
    """
    before, at, after = text.rpartition("@")
    scheme, colon, user = before.partition(":")
    return f"{scheme}:...@{after}" if at and colon and ":" in user else text
