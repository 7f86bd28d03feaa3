"""The text of a note, which a person or the daemon attaches to a recording."""

from __future__ import annotations

from typing import Final, NewType

from stinger.errors import InputError

NoteText = NewType("NoteText", str)
"""1 to 1000 characters that UTF-8 can encode, with no white space at either end."""

MAX_NOTE_CHARS: Final = 1000


def parse_note(value: object) -> NoteText:
    r"""Return ``value``, from JSON, as the text of a note; white space at both ends is dropped.

    Raises :class:`InputError` for another type, an empty text, one that is too long, and one with half of a surrogate
    pair, which JSON can hold (``"\ud83d"``) but no file.

    >>> parse_note(" left-handed ")
    'left-handed'
    """
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_NOTE_CHARS:
        raise InputError(f"expected a text of 1 to {MAX_NOTE_CHARS} characters, not {value!r:.60}")
    check_encodable(value)
    return NoteText(value.strip())


def check_encodable(text: str) -> None:
    """Raise :class:`InputError` if ``text`` has half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"character {error.start + 1} is half of a surrogate pair, which is not a character") from None
