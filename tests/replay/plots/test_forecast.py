"""Forecasts: the value at a sample is the model's output for the window that ends one lead before it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models.scorer import Windows
from models.sessions import Session
from models.windows import span_of
from replay.plots.forecast import Forecast, forecast_of
from replay.trace import score_sessions
from stinger.recording import Recording, split_recordings
from stinger.shots import find_shots
from tests.helpers.synthetic import synthetic_samples


class LastSample:
    """A model whose output is the gx of the last sample of a window."""

    def probability(self, windows: Windows) -> npt.NDArray[np.float32]:
        return windows[:, -1, 3].astype(np.float32)


class FirstSample:
    """A model whose output is the ax of the first sample of a window."""

    def probability(self, windows: Windows) -> npt.NDArray[np.float32]:
        return windows[:, 0, 0].astype(np.float32)


def forecast(recording: Recording, *, stride: int = 1) -> Forecast:
    session = Session("made", recording, find_shots(recording), 0)
    (last,), (first,) = score_sessions(LastSample(), [session]), score_sessions(FirstSample(), [session])
    return forecast_of([last, first], span_of(recording), stride=stride)


@pytest.mark.parametrize("stride", [1, 3, 70])
def test_each_value_comes_from_the_window_that_ends_a_lead_before(stride: int) -> None:
    (recording,) = split_recordings(synthetic_samples(1500, 5, gaps=3))
    found = forecast(recording, stride=stride)
    gaps = recording.gaps().tolist()
    assert found.index.tolist() == list(range(0, 1500, stride))
    for i, value in zip(found.index.tolist(), found.probability.tolist(), strict=True):
        if i < 60 or any(i - 60 < gap <= i for gap in gaps):
            assert np.isnan(value).all()
        else:
            assert value == [recording.axes[i - 11, 3], recording.axes[i - 60, 0]]


def test_known_leaves_out_the_samples_without_a_value() -> None:
    (recording,) = split_recordings(synthetic_samples(1000, 5))
    index, probability = forecast(recording, stride=7).known()
    assert index.tolist() == [i for i in range(0, 1000, 7) if i >= 60]
    assert probability.shape == (index.size, 2)
    assert not np.isnan(probability).any()


@pytest.mark.parametrize("samples", [5, 11, 60])
def test_a_recording_too_short_for_lead_and_window_has_no_value(samples: int) -> None:
    (recording,) = split_recordings(synthetic_samples(60, 1)[:samples])
    found = forecast(recording)
    assert np.isnan(found.probability).all()
    assert found.known()[0].size == 0


def test_progress_is_called_once_for_each_session() -> None:
    (recording,) = split_recordings(synthetic_samples(1000, 5))
    session = Session("made", recording, find_shots(recording), 0)
    steps: list[int] = []
    traces = score_sessions(LastSample(), [session, session], progress=steps.append)
    assert steps == [1, 1]
    assert [trace.session for trace in traces] == [session, session]
