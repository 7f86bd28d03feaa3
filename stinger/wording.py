"""Format numbers, quotations and URLs in messages to users."""

from __future__ import annotations

import re
from typing import Final
from unicodedata import category

_QUOTED_CHARACTERS: Final = 30
_SCHEME: Final = re.compile(r"'?[A-Za-z][A-Za-z0-9+.-]*:")
_PATH_SCHEMES: Final = ("replay:", "serial:", "'replay:", "'serial:")
_BROKER_SCHEMES: Final = ("mqtt:", "mqtts:")
_SECRET_OPTION: Final = re.compile(r"((?:pass|pw|secret|token|key)[^=&?/@]*=)[^&]+", re.IGNORECASE)


def counted(number: int, noun: str) -> str:
    """Return ``number`` and ``noun``, with an s unless ``number`` is 1.

    >>> counted(1, "sample"), counted(2800, "sample")
    ('1 sample', '2,800 samples')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def printable(text: str, *, keep: str = "", instead: str | None = None, json: bool = False) -> str:
    r"""Return ``text``, which may come from outside, for a terminal or a line of a log.

    Characters that do not print are escaped, or replaced by ``instead``, except those in ``keep`` and spaces of all
    kinds. A terminal may obey control characters, a line break may begin a line that looks like another message, and
    characters that change the direction of writing may hide what is there. With ``json``, the escapes are those of
    JSON, so that a document in ``text`` stays one.

    >>> print(printable("b1\x1b[2J\nready:"))
    b1\x1b[2J\nready:
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in keep or category(character) == "Zs"
        else instead or (_json_escape(character) if json else character.encode("unicode_escape").decode())
        for character in text
    )


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))


def quoted(text: str) -> str:
    r"""Return the start of ``text`` in quotes; control characters and others that do not print are escaped.

    >>> print(quoted("1\x1b[2J"))
    '1\x1b[2J'
    """
    return f"'{printable(text[:_QUOTED_CHARACTERS])}'"


def without_user(text: str) -> str:
    """Return ``text``, which may be a malformed URL, without user, password and token.

    Dots replace what may be one of these, for messages. A path may have an ``@`` in it.

    >>> without_user("mqtt://anna:sesame@host:1883"), without_user("replay:~/a@b.bin")
    ('mqtt:...@host:1883', 'replay:~/a@b.bin')
    >>> without_user("mqtts//anna:sesame@host"), without_user("mqtt://anna:sesame"), without_user("tcp://h:1?token=sesame")
    ('...@host', 'mqtt:...', 'tcp://h:1?token=...')
    """
    text = _SECRET_OPTION.sub(r"\1...", text)
    scheme = _SCHEME.match(text)
    name = "" if scheme is None else scheme[0]
    before, at, after = text[len(name) :].rpartition("@")
    if at:
        is_path = before.startswith(("/", "./", "~", "'/")) if not name else name.lower() in _PATH_SCHEMES
        return text if is_path and ":" not in before else f"{name}...@{after}"
    if name.lower() not in _PATH_SCHEMES and re.search("%40|%3a", after, re.IGNORECASE):
        return f"{name}..."
    host = after.partition("?")[0]
    last = host.rpartition(":")[2].rstrip("/'\"")
    # Only brokers have passwords: for other URLs, what follows the last colon is a port with a mistake in it.
    is_broker = name.lower().strip("'") in _BROKER_SCHEMES and ":" in host and "]" not in last
    return f"{name}..." if is_broker and not last.isdecimal() else text
