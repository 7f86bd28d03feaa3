from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.recording import Recording, split_recordings
from stinger.shots import find_shots
from tests.helpers.samples import samples_at


def pulled(trigger: list[int], *, step_ms: int = 10) -> Recording:
    (recording,) = split_recordings(samples_at(np.arange(len(trigger)) * step_ms, trigger=trigger))
    return recording


def test_shot_is_the_first_sample_with_the_trigger_down() -> None:
    assert find_shots(pulled([0, 0, 1, 1, 1, 0])).index.tolist() == [2]


def test_trigger_that_is_down_from_the_start_is_no_shot() -> None:
    assert len(find_shots(pulled([1, 1, 0, 0]))) == 0


@pytest.mark.parametrize(("gap", "accepted"), [(999, False), (1000, True)])
def test_shot_is_accepted_from_the_minimum_gap_on(gap: int, accepted: bool) -> None:
    samples = samples_at([0, 1, 1 + gap - 1, 1 + gap], trigger=[0, 1, 0, 1])
    (recording,) = split_recordings(samples)
    assert find_shots(recording).accepted.tolist() == [True, accepted]


def test_gap_counts_from_the_last_accepted_shot_and_not_from_a_rejected_one() -> None:
    shots = find_shots(pulled([0, 1, 0, 1, 0, 1], step_ms=300), min_shot_gap_ms=1000)
    assert shots.accepted.tolist() == [True, False, True]


def test_gap_of_zero_accepts_every_edge() -> None:
    assert find_shots(pulled([0, 1, 0, 1, 0, 1]), min_shot_gap_ms=0).accepted.all()


@given(st.lists(st.integers(0, 1), min_size=1, max_size=200), st.integers(0, 300))
def test_acceptance_is_that_of_going_through_the_edges_one_by_one(trigger: list[int], gap_ms: int) -> None:
    shots = find_shots(pulled(trigger), min_shot_gap_ms=gap_ms)
    last: int | None = None
    expected = []
    for time_ms in shots.time_ms.tolist():
        accepted = last is None or time_ms - last >= gap_ms
        expected.append(accepted)
        last = time_ms if accepted else last
    assert shots.accepted.tolist() == expected
