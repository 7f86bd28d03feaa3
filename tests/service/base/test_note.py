"""The text of a note: one length, wherever it enters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.base.note import MAX_NOTE_CHARS, parse_note
from stinger.errors import InputError


@pytest.mark.parametrize("text", ["x \ud83d", "\udc00", "\udcff left", "\ud83d" * MAX_NOTE_CHARS])
def test_half_of_a_surrogate_pair_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"character \d+ is half of a surrogate pair") as raised:
        parse_note(text)
    str(raised.value).encode()


def test_characters_beyond_the_first_65536_are_accepted() -> None:
    assert parse_note(" \N{SNOWMAN} \N{DOLPHIN} ") == "\N{SNOWMAN} \N{DOLPHIN}"


@given(st.text(max_size=30))
def test_a_note_loses_white_space_at_its_ends_once(text: str) -> None:
    try:
        note = parse_note(text)
    except InputError:
        assert not text.strip()
    else:
        assert note == text.strip() == parse_note(note)


@pytest.mark.parametrize("value", ["", "  \n", "x" * (MAX_NOTE_CHARS + 1), None, 5, True, ["x"]])
def test_what_is_not_a_text_of_1_to_1000_characters_is_refused_in_one_line(value: object) -> None:
    with pytest.raises(InputError, match="expected a text of 1 to 1000 characters") as raised:
        parse_note(value)
    assert "\n" not in str(raised.value)


def test_the_longest_note_is_accepted() -> None:
    assert parse_note("x" * MAX_NOTE_CHARS) == "x" * MAX_NOTE_CHARS
