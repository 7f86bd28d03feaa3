from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.errors import InputError
from stinger.recording import split_recordings, split_samples
from stinger.sample import CLOCK_WRAP_MS, SAMPLE_BYTES, SAMPLE_DTYPE
from tests.helpers.samples import counting_samples, samples_at


def test_sample_record_is_17_bytes_without_padding() -> None:
    assert SAMPLE_DTYPE.itemsize == SAMPLE_BYTES == 17
    raw = bytes.fromhex("e8030000 fa f7 f1 ff 12 00 00 00 04 00 01 00 01".replace(" ", ""))
    assert np.frombuffer(raw, SAMPLE_DTYPE)[0].item() == (1000, -2054, -15, 18, 0, 4, 1, 1)


def test_gaps_do_not_count_for_the_rate() -> None:
    (recording,) = split_recordings(samples_at([0, 10, 20, 30, 5000, 5010]))
    assert recording.rate_hz == 100


@pytest.mark.parametrize("rate_hz", [1600, 800, 400])
def test_rate_finer_than_whole_milliseconds_is_measured_over_many_steps(rate_hz: int) -> None:
    (recording,) = split_recordings(counting_samples(0, 4000, 1000 / rate_hz))
    assert recording.rate_hz == pytest.approx(rate_hz, rel=1e-3)
    assert recording.steps_in(500) == rate_hz // 2
    assert recording.gaps().size == 0


def test_step_over_five_steps_is_a_gap_and_exactly_five_is_none() -> None:
    (recording,) = split_recordings(samples_at(np.cumsum([0, *[10] * 20, 50, *[10] * 20, 51, *[10] * 20])))
    assert recording.gaps().tolist() == [42]
    assert recording.segments() == [(0, 42), (42, 63)]


def test_recording_without_a_gap_is_one_segment() -> None:
    (recording,) = split_recordings(samples_at(np.arange(20) * 10))
    assert recording.segments() == [(0, 20)]


def test_time_that_jumps_back_begins_another_recording() -> None:
    first, second = split_recordings(samples_at([5000, 5010, 5020, 30, 40]))
    assert first.time_ms.tolist() == [5000, 5010, 5020]
    assert second.time_ms.tolist() == [30, 40]


def test_wrap_of_the_clock_is_undone() -> None:
    (recording,) = split_recordings(samples_at([CLOCK_WRAP_MS - 20, CLOCK_WRAP_MS - 10, 0, 10]))
    assert np.diff(recording.time_ms).tolist() == [10, 10, 10]
    assert recording.gaps().size == 0


def test_wrap_after_a_pause_is_a_gap_and_no_other_boot() -> None:
    (recording,) = split_recordings(samples_at([CLOCK_WRAP_MS - 20, CLOCK_WRAP_MS - 10, 60_000, 60_010, 60_020]))
    assert recording.gaps().tolist() == [2]


def test_boot_after_a_wrap_starts_at_its_own_time() -> None:
    wrapped, booted = split_recordings(samples_at([CLOCK_WRAP_MS - 10, 0, 10, 2000, 5, 15]))
    assert wrapped.time_ms[-1] == CLOCK_WRAP_MS + 2000
    assert booted.time_ms.tolist() == [5, 15]


def test_time_just_before_a_wrap_is_late_after_it() -> None:
    recordings, late, _ = split_samples(samples_at([0, 10, 20, CLOCK_WRAP_MS - 1, 30, 40]))
    assert [recording.time_ms.tolist() for recording in recordings] == [[0, 10, 20, 30, 40]]
    assert late.tolist() == [3]


def test_late_and_repeated_samples_are_dropped() -> None:
    (recording,), late, _ = split_samples(samples_at([0, 10, 20, 20, 10, 30, 40]))
    assert recording.time_ms.tolist() == [0, 10, 20, 30, 40]
    assert late.tolist() == [3, 4]


def test_samples_with_one_timestamp_are_kept_if_they_differ() -> None:
    (recording,), late, _ = split_samples(samples_at([0, 0, 20, 20], channels=np.arange(24).reshape(4, 6)))
    assert (len(recording), late.size) == (4, 0)


def test_boot_that_begins_within_a_second_keeps_all_its_samples() -> None:
    (first, second), late, _ = split_samples(samples_at([*range(0, 500, 10), *range(0, 500, 10)]))
    assert (len(first), len(second), late.size) == (50, 50, 0)


def test_late_samples_before_a_boot_are_not_part_of_it() -> None:
    (first, second), late, _ = split_samples(samples_at([5000, 5010, 4990, 5020, 5005, 30, 40, 50]))
    assert first.time_ms.tolist() == [5000, 5010, 5020]
    assert second.time_ms.tolist() == [30, 40, 50]
    assert late.tolist() == [2, 4]


def test_duration_includes_the_last_step() -> None:
    (recording,) = split_recordings(samples_at(np.arange(2800) * 10))
    assert recording.duration_ms == 28_000


@pytest.mark.parametrize("times", [[5], [5, 5, 5]])
def test_rate_of_a_time_that_does_not_advance_is_unknown(times: list[int]) -> None:
    (recording,) = split_recordings(samples_at(times))
    assert recording.rate_hz is None
    with pytest.raises(InputError, match="does not advance"):
        recording.steps_in(500)


def test_durations_become_whole_steps() -> None:
    (recording,) = split_recordings(samples_at(np.arange(9) * 10))
    assert (recording.steps_in(500), recording.steps_in(104), recording.steps_in(106)) == (50, 10, 11)


def test_no_samples_are_no_recording() -> None:
    assert split_recordings(samples_at([])) == ()


@given(st.lists(st.integers(0, CLOCK_WRAP_MS - 1), min_size=1, max_size=60))
def test_recordings_hold_every_sample_that_is_not_late_once_and_their_time_never_goes_back(times: list[int]) -> None:
    samples = samples_at(times)
    recordings, late, untimed = split_samples(samples)
    left_out = np.concatenate((late, untimed))
    assert np.unique(left_out).size == left_out.size
    assert b"".join(recording.samples.tobytes() for recording in recordings) == np.delete(samples, left_out).tobytes()
    for recording in recordings:
        assert (np.diff(recording.time_ms) >= 0).all()
        assert (recording.time_ms % CLOCK_WRAP_MS == recording.samples["timestamp_ms"]).all()
        assert [stop - start for start, stop in recording.segments()] != [0]
