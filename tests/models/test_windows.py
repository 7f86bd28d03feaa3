"""Windows: whole ones, their samples, their motion, against the slow way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.windows import motion_scores, pressed_within, span_of, unbroken_before, windows_at
from stinger.recording import Recording, split_recordings
from stinger.sample import make_samples

STEPS = st.lists(st.sampled_from([10, 10, 10, 10, 20, 60, 900]), min_size=10, max_size=80)


def recording_of(steps: list[int], seed: int) -> Recording:
    rng = np.random.default_rng(seed)
    channels = rng.integers(-32768, 32768, (len(steps), 6))
    (recording,) = split_recordings(make_samples(np.cumsum([0, *steps[1:]]), channels, rng.random(len(steps)) < 0.2))
    return recording


def test_lead_and_window_are_rounded_to_samples_and_never_empty() -> None:
    recording = recording_of([10] * 20, 1)
    assert span_of(recording).lead_samples == 10
    assert span_of(recording).window_samples == 50
    shortest = span_of(recording, lead_ms=0, window_ms=1)
    assert (shortest.lead_samples, shortest.window_samples, shortest.total) == (1, 1, 2)


@given(STEPS, st.integers(0, 99))
def test_unbroken_before_counts_back_to_the_gap(steps: list[int], seed: int) -> None:
    recording = recording_of(steps, seed)
    gaps = set(recording.gaps().tolist())
    expected, run = [], 0
    for i in range(len(recording)):
        run = 0 if i == 0 or i in gaps else run + 1
        expected.append(run)
    assert unbroken_before(recording).tolist() == expected


@given(STEPS, st.integers(1, 12), st.integers(0, 99))
def test_windows_hold_the_samples_before_their_end(steps: list[int], window: int, seed: int) -> None:
    recording = recording_of(steps, seed)
    window = min(window, len(recording))
    ends = np.arange(window, len(recording) + 1)
    windows = windows_at(recording.axes, ends, window)
    assert windows.shape == (ends.size, window, 6)
    assert all((windows[k] == recording.axes[end - window : end]).all() for k, end in enumerate(ends))


@given(arrays(np.int16, st.tuples(st.integers(1, 60), st.just(6))), st.integers(1, 12))
def test_motion_is_that_of_summing_each_window_by_itself(axes: npt.NDArray[np.int16], window: int) -> None:
    scores = motion_scores(axes, window)
    assert np.isnan(scores[:window]).all()
    for end in range(window, axes.shape[0]):
        squares = axes[end - window : end].astype(object) ** 2
        assert scores[end] == (squares[:, 3:].sum() + 0.05 * squares[:, :3].sum()) / window


@given(STEPS, st.integers(1, 12), st.integers(0, 99))
def test_pressed_within_sees_every_trigger(steps: list[int], window: int, seed: int) -> None:
    recording = recording_of(steps, seed)
    expected = [bool(recording.trigger[max(0, end - window) : end].any()) for end in range(len(recording))]
    assert pressed_within(recording, window).tolist() == expected
