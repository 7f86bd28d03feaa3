"""Draws that keep their distance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.separation import SeparatedDraw
from stinger.errors import InputError

TIMES = st.lists(st.integers(0, 3000), min_size=1, max_size=120).map(sorted)


def slowly(times: list[int], candidates: list[int], wanted: int, sep: float, chosen: list[int]) -> list[int]:
    new: list[int] = []
    for candidate in candidates:
        if len(new) == wanted:
            break
        taken = [*chosen, *new]
        near = sep > 0 and any(abs(times[candidate] - times[other]) < sep for other in taken)
        if not near and candidate not in taken:
            new.append(candidate)
    return new


@given(TIMES, st.sampled_from([0, 0.5, 1, 10, 99.5, 250]), st.integers(0, 40), st.integers(0, 9))
def test_it_chooses_as_comparing_all_pairs_would(times: list[int], sep: float, wanted: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    draw = SeparatedDraw(np.array(times), sep)
    chosen: list[int] = []
    for _ in range(3):
        candidates = rng.integers(0, len(times), 2 * len(times))
        expected = slowly(times, candidates.tolist(), wanted, sep, chosen)
        assert draw.choose(candidates, wanted).tolist() == expected
        chosen += expected


def test_it_chooses_the_same_in_blocks() -> None:
    rng = np.random.default_rng(1)
    times = np.arange(50_000) * 10
    candidates = rng.permutation(50_000)
    draw = SeparatedDraw(times, 200)
    ends = np.sort(draw.choose(candidates, 10**9))
    assert np.diff(times[ends]).min() >= 200
    # Nothing more fits: no two neighbours leave room for a third between them.
    assert np.diff(times[ends]).max() < 400


def test_a_negative_separation_is_refused() -> None:
    with pytest.raises(InputError, match="expected 0 or more"):
        SeparatedDraw(np.arange(3), -1)
