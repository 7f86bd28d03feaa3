"""What an excerpt cuts out of a recording: units, times from the moment, gaps, the other shots."""

from __future__ import annotations

import numpy as np
import pytest

from replay.plots.excerpt import Excerpt, excerpt
from replay.plots.forecast import Forecast
from stinger.recording import Recording, split_recordings
from stinger.shots import find_shots
from tests.helpers.samples import samples_at

MOMENT_MS = 2000


def recorded() -> Recording:
    """4 s with the trigger pulled at 1.0 s, 1.3 s (too soon) and 2.0 s, and a gap of 500 ms behind 2.5 s."""
    times = np.arange(400) * 10
    times[250:] += 500
    trigger = np.zeros(400)
    for pull in (100, 130, 200):
        trigger[pull : pull + 5] = 1
    channels = np.tile([2048, -1024, 0, 16384, -8192, 0], (400, 1))
    (recording,) = split_recordings(samples_at(times, trigger=trigger, channels=channels))
    return recording


def around(pre_ms: float, post_ms: float, forecast: Forecast | None = None) -> Excerpt:
    recording = recorded()
    return excerpt(
        recording,
        find_shots(recording),
        MOMENT_MS,
        title="a shot",
        pre_ms=pre_ms,
        post_ms=post_ms,
        forecast=forecast,
    )


def test_motion_is_in_g_and_degrees_a_second() -> None:
    np.testing.assert_allclose(around(100, 100).motion[0], [1, -0.5, 0, 1000, -500, 0])


@pytest.mark.parametrize(("pre_ms", "post_ms"), [(100, 50), (95, 55), (0, 0)])
def test_times_are_seconds_from_the_moment_with_both_ends_included(pre_ms: float, post_ms: float) -> None:
    times = around(pre_ms, post_ms).time_s
    expected = np.arange(-(pre_ms // 10), post_ms // 10 + 1) / 100
    np.testing.assert_allclose(times, expected, atol=1e-12)


def test_other_shots_are_those_within_but_for_the_one_it_is_about() -> None:
    found = around(1500, 300)
    assert found.accepted_s.tolist() == [-1.0]
    assert found.rejected_s.tolist() == [-0.7]
    assert around(600, 300).accepted_s.size == around(600, 300).rejected_s.size == 0


def test_line_breaks_at_a_gap() -> None:
    found = around(0, 1500)
    (gap,) = np.flatnonzero(np.isnan(found.time_s))
    assert found.time_s[[gap - 1, gap + 1]].tolist() == [0.49, 1.0]
    assert np.isnan(found.motion[gap]).all()


def test_probabilities_are_those_of_the_moments_within() -> None:
    index = np.arange(0, 400, 7)
    forecast = Forecast(index=index, probability=index[:, None] / 1000)
    found = around(100, 1500, forecast)
    known = ~np.isnan(found.probability_time_s)
    spoken = index[(index >= 190) & (index <= 300)]
    np.testing.assert_allclose(found.probability[known, 0], spoken / 1000)
    time_ms = recorded().time_ms[spoken]
    np.testing.assert_allclose(found.probability_time_s[known], (time_ms - MOMENT_MS) / 1000)
    assert np.count_nonzero(~known) == 1


def test_without_models_there_is_no_probability() -> None:
    assert around(100, 100).probability.size == 0
