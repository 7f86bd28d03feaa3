"""The threshold: one range, wherever it is set."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decision_parameters import DecisionParameters
from models.threshold import HIGHEST_THRESHOLD, LOWEST_THRESHOLD, parse_threshold
from stinger.errors import InputError

anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.floats())


@given(st.floats(LOWEST_THRESHOLD, HIGHEST_THRESHOLD))
def test_a_number_in_range_is_a_threshold_and_the_decision_accepts_it(value: float) -> None:
    assert parse_threshold(value) == value
    assert DecisionParameters().at(parse_threshold(value)).on == value


@given(anything)
def test_anything_is_a_threshold_or_an_input_error_of_one_line(value: object) -> None:
    try:
        threshold = parse_threshold(value)
    except InputError as error:
        refusal = str(error)
        assert "\n" not in refusal
    else:
        assert LOWEST_THRESHOLD <= threshold <= HIGHEST_THRESHOLD


@pytest.mark.parametrize("value", [0, 1, 0.0499, 0.951, math.nan, math.inf, True, "0.5", None])
def test_another_value_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"expected a number from 0\.05 to 0\.95, not "):
        parse_threshold(value)
