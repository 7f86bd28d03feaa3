from __future__ import annotations

import numpy as np
import pytest

from models.sessions import Session
from service.round_trip.recording_quality import RecordingQuality, quality_line, quality_of
from stinger.recording import split_recordings
from stinger.shots import find_shots
from tests.helpers.samples import samples_at
from tests.helpers.synthetic import synthetic_samples

PLENTY = 10_000


@pytest.mark.parametrize(
    ("minutes", "shots", "score"),
    [(0.0, 0, 0), (5.0, 100, 100), (60.0, 900, 100), (2.5, 50, 50), (5.0, 0, 50), (1.0, 10, 15)],
)
def test_score_is_half_for_shots_and_half_for_minutes(minutes: float, shots: int, score: int) -> None:
    assert RecordingQuality(minutes, shots, PLENTY, PLENTY).score == score


@pytest.mark.parametrize(
    ("quality", "warning"),
    [
        (RecordingQuality(1.9, 20, 400, PLENTY), "1.9 minutes is short: record 2 minutes or more."),
        (RecordingQuality(5, 7, 140, PLENTY), "7 shots is very few: 15 or more are advised."),
        (RecordingQuality(5, 14, 280, PLENTY), "14 shots are few: 15 or more are advised."),
        (RecordingQuality(5, 20, 10, 19), "29 windows to train on: at least 30 are needed."),
        (RecordingQuality(5, 20, 400, 399), "There is too little movement without shots: carry, aim and wait as well."),
    ],
)
def test_what_is_too_little_is_warned_about(quality: RecordingQuality, warning: str) -> None:
    assert quality.warnings == (warning,)


def test_a_good_recording_has_no_warning() -> None:
    assert not RecordingQuality(2, 15, 300, 300).warnings


def test_quality_counts_samples_of_both_classes_and_shots_of_all_sessions() -> None:
    (recording,) = split_recordings(synthetic_samples(6000, 24))
    session = Session("made", recording, find_shots(recording), 0)
    one, two = quality_of([session]), quality_of([session, session])
    assert (one.shots, round(one.minutes, 2)) == (session.accepted_shots, 1.0)
    assert 0 < one.positives < one.negatives < 6000
    assert (two.shots, two.positives, two.negatives) == (2 * one.shots, 2 * one.positives, 2 * one.negatives)
    assert quality_line(one).startswith(f"Data quality: {one.score} of 100.")


def test_a_recording_shorter_than_a_window_has_no_samples_to_train_on() -> None:
    (recording,) = split_recordings(samples_at(np.arange(40) * 10))
    quality = quality_of([Session("short", recording, find_shots(recording), 0)])
    assert (quality.positives, quality.negatives) == (0, 0)
    assert "0 windows to train on: at least 30 are needed." in quality.warnings
