"""Durations and sizes: what is understood, and what is refused in one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.errors import InputError
from stinger.quantities import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 2_592_000), ("12h", 43_200), ("90m", 5400), ("1.5 s", 1.5), ("2W", 1_209_600)]
)
def test_a_duration_is_understood_and_shown_as_written(text: str, seconds: float) -> None:
    assert parse_duration(text).seconds == seconds
    assert str(parse_duration(text)) == text


@pytest.mark.parametrize(("text", "size"), [("10GB", 10**10), ("500 mb", 5 * 10**8), ("1.5kB", 1500), ("7B", 7)])
def test_a_size_is_understood_and_shown_as_written(text: str, size: int) -> None:
    assert parse_size(text).bytes == size
    assert str(parse_size(text)) == text


@given(st.text(max_size=30) | st.from_regex(r"[0-9.]{0,12} ?[a-zA-Z]{0,3}", fullmatch=True))
def test_any_text_is_a_quantity_or_one_line(text: str) -> None:
    try:
        duration = parse_duration(text)
    except InputError as error:
        refused = str(error)
        assert len(refused.splitlines()) == 1
    else:
        assert duration.seconds > 0
        assert parse_duration(str(duration)) == duration
    try:
        size = parse_size(text)
    except InputError as error:
        refused = str(error)
        assert len(refused.splitlines()) == 1
    else:
        assert size.bytes > 0
        assert parse_size(str(size)) == size
