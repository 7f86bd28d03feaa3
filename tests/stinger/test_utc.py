from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.recording_name import STEM, recording_stem, stem_time
from stinger.utc import utc_text, utc_time

LATEST_S = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("unix_s", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1.5, "1969-12-31T23:59:58.500Z"),
        (-11_644_473_600, "1601-01-01T00:00:00.000Z"),
        (32_536_850_400, "3001-01-19T22:00:00.000Z"),
        (1e300, "9999-12-31T23:59:59.999Z"),
        (math.inf, "9999-12-31T23:59:59.999Z"),
        (-math.inf, "0001-01-01T00:00:00.000Z"),
        (math.nan, "0001-01-01T00:00:00.000Z"),
    ],
)
def test_every_number_is_a_date(unix_s: float, text: str) -> None:
    assert utc_text(unix_s) == text


@given(st.floats(0, LATEST_S))
def test_a_date_after_1970_is_that_of_the_standard_library(unix_s: float) -> None:
    assert utc_time(unix_s) == datetime.fromtimestamp(unix_s, UTC)  # noqa: TID251 - what it replaces


@given(st.floats())
def test_every_number_makes_the_name_of_a_recording_that_can_be_read_again(unix_s: float) -> None:
    stem = recording_stem(unix_s)
    assert STEM.fullmatch(stem)
    time = stem_time(stem)
    assert time is not None
    assert abs((time - utc_time(unix_s)).total_seconds()) < 0.001
