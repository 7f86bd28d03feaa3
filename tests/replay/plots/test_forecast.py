"""Timelines: the value at a moment is that of the window that ends lead before it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models.scorer import score_recording
from models.sessions import Session
from models.window_models import Probabilities, WindowModels, Windows
from models.windows import span_of
from replay.plots import forecast as timeline
from replay.plots.forecast import forecast_of, timeline_of, windows_to_score
from replay.trace import Trace
from stinger.recording import split_recordings
from stinger.shots import find_shots
from tests.helpers.synthetic import synthetic_samples


def last_sample(windows: Windows) -> Probabilities:
    return np.stack((windows[:, -1, 3].astype(float), windows[:, 0, 0].astype(float)), axis=1)


SCORES = WindowModels(names=("last", "first"), probability=last_sample)


@pytest.mark.parametrize("stride", [1, 3, 70])
@pytest.mark.parametrize("block", [7, 16_384])
def test_each_value_is_of_the_window_before_the_lead(stride: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "BLOCK_WINDOWS", block)
    (recording,) = split_recordings(synthetic_samples(1500, 5, gaps=3))
    line = timeline_of(recording, SCORES, span_of(recording), stride=stride)
    gaps = recording.gaps().tolist()
    assert line.index.tolist() == list(range(0, 1500, stride))
    for i, value in zip(line.index.tolist(), line.probability.tolist(), strict=True):
        if i < 60 or any(i - 60 < gap <= i for gap in gaps):
            assert np.isnan(value).all()
        else:
            assert value == [recording.axes[i - 11, 3], recording.axes[i - 60, 0]]


@pytest.mark.parametrize("stride", [1, 7, 60])
def test_progress_tells_of_every_window(stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "BLOCK_WINDOWS", 100)
    (recording,) = split_recordings(synthetic_samples(1000, 5))
    told: list[int] = []
    timeline_of(recording, SCORES, span_of(recording), stride=stride, progress=told.append)
    assert (
        sum(told)
        == windows_to_score(recording, span_of(recording), stride=stride)
        == sum(i >= 60 for i in range(0, 1000, stride))
    )


def test_a_recording_too_short_for_a_window_has_no_value() -> None:
    (recording,) = split_recordings(synthetic_samples(60, 1))
    line = timeline_of(recording, SCORES, span_of(recording))
    assert np.isnan(line.probability).all()
    assert line.known()[0].size == 0


def test_traces_give_the_timeline_that_their_model_gives() -> None:
    class First:
        def probability(self, windows: Windows) -> npt.NDArray[np.float32]:
            return SCORES.probability(windows)[:, 0].astype(np.float32)

    (recording,) = split_recordings(synthetic_samples(1500, 5, gaps=3))
    span = span_of(recording)
    trace = Trace(Session("made", recording, find_shots(recording), 0), score_recording(First(), recording))
    line = forecast_of([trace, trace], span)
    whole = timeline_of(recording, SCORES, span)
    assert np.array_equal(line.index, whole.index)
    assert np.array_equal(line.probability, whole.probability[:, [0, 0]], equal_nan=True)
