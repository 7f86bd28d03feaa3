"""Overlaps: recordings that hold the same readings, found by content."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.overlaps import Overlap, Readings, find_overlaps, hash_readings
from models.synthetic import synthesise
from stinger.logs import read_log
from stinger.sample import axes
from tests.helpers.places import ROOT
from tests.helpers.synthetic import synthetic_samples

WRIST = ROOT.parent / "shared" / "data" / "wrist"


def readings(count: int = 4000, *, seed: int = 1) -> Readings:
    return axes(synthetic_samples(count, max(1, count // 300), seed=seed))


def at_rest(count: int, *, noise: float, seed: int) -> Readings:
    rng = np.random.default_rng(seed)
    return np.rint(rng.normal(size=(count, 6)) * noise + (0, 0, 2048, 0, 0, 0)).astype(np.int16)


def spans(found: tuple[Overlap, ...]) -> list[tuple[int, int]]:
    return [(overlap.start, overlap.stop) for overlap in found]


def covered(found: tuple[Overlap, ...], count: int) -> int:
    mask = np.zeros(count, dtype=np.bool_)
    for overlap in found:
        mask[overlap.start : overlap.stop] = True
    return int(mask.sum())


def test_copy_overlaps_as_a_whole() -> None:
    assert find_overlaps([readings(), readings()]) == (Overlap(1, 0, 0, 4000),)


@pytest.mark.parametrize(("start", "stop"), [(0, 1500), (2500, 4000), (1200, 1900), (777, 877)])
def test_stretch_of_another_recording_is_found_wherever_it_begins(start: int, stop: int) -> None:
    assert spans(find_overlaps([readings(), readings()[start:stop]])) == [(0, stop - start)]


def test_only_the_shared_part_of_two_recordings_overlaps() -> None:
    whole = readings(9000)
    assert spans(find_overlaps([whole[:6000], whole[4000:]])) == [(0, 2000)]


def test_several_shared_stretches_in_another_order_are_all_found() -> None:
    whole, other = readings(6000), readings(2000, seed=2)
    mixed = np.concatenate((whole[4000:], other, whole[:3000]))
    assert sorted(spans(find_overlaps([whole, mixed]))) == [(0, 2000), (4000, 7000)]


@given(lost=st.floats(0, 0.5), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_copy_with_lost_samples_is_found_whichever_of_the_two_lost_them(lost: float, seed: int) -> None:
    whole = readings(3000, seed=seed)
    part = whole[np.random.default_rng(seed).random(3000) >= lost]
    for pair in ([whole, part], [part, whole]):
        assert covered(find_overlaps(pair), len(pair[1])) >= 0.97 * len(pair[1])


@pytest.mark.parametrize("every", [2, 3, 5, 8])
def test_thinned_copy_is_found_whichever_comes_first(every: int) -> None:
    whole = readings(4000)
    for pair in ([whole, whole[1::every]], [whole[1::every], whole]):
        assert covered(find_overlaps(pair), len(pair[1])) >= 0.97 * len(pair[1])


def test_capture_overlaps_with_samples_taken_from_it_at_another_phase() -> None:
    full = np.repeat(readings(20_000), 2, axis=0)
    found = find_overlaps([full[:30_000], full[9:25_000]], per_sample=[16, 16])
    assert covered(found, 25_000) >= 24_900
    assert covered(find_overlaps([full, full[5::16]], per_sample=[16, 1]), len(full[5::16])) == len(full[5::16])


def test_recording_that_repeats_itself_overlaps_with_itself() -> None:
    once, more = readings(), readings(1000, seed=2)
    assert find_overlaps([np.concatenate((once, more, once[500:1500], readings(1000, seed=3)))]) == (
        Overlap(0, 0, 5000, 6000),
    )


def test_recording_repeated_three_times_is_left_once() -> None:
    once = readings(1500)
    assert covered(find_overlaps([np.concatenate((once, once, once))]), 4500) >= 2900


def test_each_copy_of_several_overlaps_with_one_before_it() -> None:
    found = find_overlaps([readings()] * 5)
    assert {(overlap.recording, overlap.start, overlap.stop) for overlap in found} == {
        (number, 0, 4000) for number in range(1, 5)
    }
    assert all(overlap.other < overlap.recording for overlap in found)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_different_recordings_do_not_overlap(seed: int) -> None:
    assert find_overlaps([readings(2000, seed=2 * seed), readings(2000, seed=2 * seed + 1)]) == ()


@pytest.mark.parametrize("noise", [0, 0.3, 1, 3, 25])
def test_blaster_at_rest_does_not_overlap_with_another_at_rest(noise: float) -> None:
    assert find_overlaps([at_rest(20_000, noise=noise, seed=seed) for seed in range(3)]) == ()


def test_same_drift_of_one_axis_at_rest_is_no_overlap() -> None:
    drifting = np.zeros((2000, 6), dtype=np.int16)
    drifting[:, 3] = np.arange(2000) // 7
    assert find_overlaps([drifting, drifting[500:]]) == ()


def test_copy_is_found_although_both_have_lost_samples_of_their_own() -> None:
    whole, rng = readings(), np.random.default_rng(1)
    pair = [whole[rng.random(4000) > 0.3] for _ in range(2)]
    assert covered(find_overlaps(pair), len(pair[1])) >= 0.99 * len(pair[1])


def test_long_rest_within_a_copy_belongs_to_the_overlap() -> None:
    rest = np.zeros((3000, 6), dtype=np.int16)
    whole = np.concatenate((rest, readings(1000), rest, readings(1000, seed=2), rest))
    assert spans(find_overlaps([whole, whole])) == [(0, len(whole))]


def test_same_rest_beside_different_motion_is_no_overlap() -> None:
    rest = at_rest(3000, noise=0.4, seed=1)
    first = np.concatenate((rest, readings(1000)))
    second = np.concatenate((rest[::-1], readings(1000, seed=2)))
    assert find_overlaps([first, second]) == ()


def test_synthetic_sessions_do_not_overlap() -> None:
    sessions = [axes(synthesise(minutes=4, seed=seed)) for seed in range(12)]
    assert find_overlaps(sessions) == ()


@pytest.mark.skipif(not WRIST.exists(), reason="needs ../shared/data/wrist")
def test_people_of_the_wrist_data_do_not_overlap() -> None:
    recordings: list[npt.NDArray[np.int16]] = []
    for path in sorted(WRIST.glob("*.bin")):
        recordings += [recording.axes for recording in read_log(path).recordings]
    assert len(recordings) >= 12
    assert find_overlaps(recordings) == ()


@given(st.lists(st.integers(0, 60), max_size=4))
def test_recordings_of_few_samples_or_none_are_no_error(lengths: list[int]) -> None:
    find_overlaps([readings(600)[:length] for length in lengths])


def test_hash_stays_the_same_because_model_files_hold_it() -> None:
    values = np.array([[0, 0, 0, 0, 0, 0], [1, -2, 3, -4, 5, -32768]], dtype=np.int16)
    assert [hex(value) for value in hash_readings(values).tolist()] == ["0xca15aec12e829137", "0x762af561351bcd99"]
