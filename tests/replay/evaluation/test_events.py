from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.evaluation.events import Events, SpinUpKind, match_events, near_a_shot


def match(spin_ups: list[tuple[int, int]], shots: list[int], *, min_lead_ms: float = 100) -> Events:
    return match_events(
        np.array(spin_ups, dtype=np.int64).reshape(-1, 2), np.array(shots, dtype=np.int64), min_lead_ms=min_lead_ms
    )


def kinds(events: Events) -> list[SpinUpKind]:
    return [SpinUpKind(kind) for kind in events.kind.tolist()]


def test_shot_is_in_time_from_100_ms_of_wheels_on() -> None:
    assert match([(900, 1200)], [1000]).in_time.tolist() == [True]
    assert match([(910, 1200)], [1000]).in_time.tolist() == [False]


def test_shot_is_not_in_time_if_the_wheels_had_a_break() -> None:
    events = match([(0, 950), (960, 1200)], [1000])
    assert events.in_time.tolist() == [False]
    assert events.on_for_ms.tolist() == [40]


def test_wheels_are_off_at_the_moment_they_go_off() -> None:
    events = match([(800, 1000)], [1000])
    assert events.holder.tolist() == [-1]
    assert np.isnan(events.on_for_ms[0])
    assert not events.in_time[0]


def test_spin_up_carries_the_first_shot_within_it_and_the_burst_rides_along() -> None:
    events = match([(500, 2000)], [1000, 1200, 1400])
    assert kinds(events) == [SpinUpKind.WITH_SHOT]
    assert events.shot.tolist() == [0]
    assert events.holder.tolist() == [0, 0, 0]
    assert events.in_time.all()


def test_spin_up_without_a_shot_is_false() -> None:
    events = match([(0, 300), (5000, 5300)], [2000])
    assert kinds(events) == [SpinUpKind.FALSE, SpinUpKind.FALSE]
    assert events.shot.tolist() == [-1, -1]


def test_spin_up_after_a_shot_is_false_and_no_repeat() -> None:
    assert kinds(match([(800, 1100), (1200, 1500)], [1000])) == [SpinUpKind.WITH_SHOT, SpinUpKind.FALSE]


@pytest.mark.parametrize(("off", "kind"), [(500, SpinUpKind.EARLY), (499, SpinUpKind.FALSE)])
def test_spin_up_that_ends_within_half_a_second_before_a_shot_is_early(off: int, kind: SpinUpKind) -> None:
    events = match([(100, off)], [1000])
    assert kinds(events) == [kind]
    assert not events.in_time.any()


def test_second_spin_up_for_a_shot_is_a_repeat() -> None:
    events = match([(100, 700), (800, 1100)], [1000])
    assert kinds(events) == [SpinUpKind.REPEAT, SpinUpKind.WITH_SHOT]
    assert events.shot.tolist() == [0, 0]


def test_of_several_early_spin_ups_only_the_last_one_is_matched() -> None:
    events = match([(100, 600), (650, 700), (750, 800)], [1000])
    assert kinds(events) == [SpinUpKind.REPEAT, SpinUpKind.REPEAT, SpinUpKind.EARLY]


def test_without_shots_or_spin_ups_nothing_matches() -> None:
    assert kinds(match([(0, 10)], [])) == [SpinUpKind.FALSE]
    assert match([], [1000]).in_time.tolist() == [False]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[int]]:
    edges = sorted(draw(st.sets(st.integers(0, 6000), max_size=24)))
    edges = edges[: len(edges) // 2 * 2]
    shots = sorted(draw(st.sets(st.integers(0, 7000), max_size=12)))
    return list(zip(edges[::2], edges[1::2], strict=True)), shots


@given(cases())
def test_matching_is_one_to_one_and_every_spin_up_is_of_one_kind(case: tuple[list[tuple[int, int]], list[int]]) -> None:
    spin_ups, shots = case
    events = match(spin_ups, shots)
    matched = events.shot[(events.kind == SpinUpKind.WITH_SHOT) | (events.kind == SpinUpKind.EARLY)]
    assert np.unique(matched).size == matched.size
    assert ((events.shot >= 0) == (events.kind != SpinUpKind.FALSE)).all()
    assert sum(events.count(kind) for kind in SpinUpKind) == len(spin_ups)
    # Each repeat has the one that it repeats.
    assert set(events.shot[events.kind == SpinUpKind.REPEAT]) <= set(matched)


@given(cases(), st.integers(0, 500))
def test_matching_is_that_of_looking_at_each_spin_up_and_shot(
    case: tuple[list[tuple[int, int]], list[int]], min_lead_ms: int
) -> None:
    spin_ups, shots = case
    events = match(spin_ups, shots, min_lead_ms=min_lead_ms)
    in_time = [any(on <= shot - min_lead_ms and shot < off for on, off in spin_ups) for shot in shots]
    assert events.in_time.tolist() == in_time
    for (on, off), kind, shot in zip(spin_ups, events.kind, events.shot, strict=True):
        inside = [i for i, time in enumerate(shots) if on <= time < off]
        assert (kind == SpinUpKind.WITH_SHOT) == bool(inside)
        if inside:
            assert shot == inside[0]
        elif kind != SpinUpKind.FALSE:
            assert shot == min(i for i, time in enumerate(shots) if time >= off)


def test_near_is_from_2_s_before_to_1_s_after_a_shot() -> None:
    times = np.array([2999, 3000, 5000, 6000, 6001])
    assert near_a_shot(times, np.array([5000])).tolist() == [False, True, True, True, False]
    assert not near_a_shot(times, np.array([], dtype=np.int64)).any()
