"""Turning recordings and training windows about axes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sessions import Session
from models.stream_rows import StreamOptions
from models.training_rows import build_training_rows, row_rule
from models.turning import SCALED_BY, random_axes, turn_session, with_turned
from stinger.errors import InputError
from stinger.recording import split_recordings
from stinger.shots import find_shots
from tests.helpers.samples import samples_at
from tests.helpers.synthetic import synthetic_samples

Z = np.array([0.0, 0.0, 1.0])


def session_of(axes: np.ndarray) -> Session:
    (recording,) = split_recordings(samples_at(np.arange(len(axes)) * 10, channels=axes))
    return Session("made", recording, find_shots(recording), 0)


def test_a_quarter_turn_about_z_moves_x_to_y_for_both_sensors() -> None:
    session = session_of(np.tile([2048, 0, 100, 0, -300, 7], (60, 1)).astype(np.int16))
    turned = turn_session(session, 90, Z)
    assert turned.recording.axes.tolist() == [[0, 2048, 100, 300, 0, 7]] * 60
    assert np.array_equal(turned.recording.time_ms, session.recording.time_ms)
    assert (turned.name, turned.shots) == (session.name, session.shots)


def test_values_that_leave_the_range_are_clipped() -> None:
    session = session_of(np.tile([32767, -32767, 0, 0, 0, 0], (60, 1)).astype(np.int16))
    assert turn_session(session, 45, Z).recording.axes[0].tolist() == [32767, 0, 0, 0, 0, 0]


@given(degrees=st.floats(0, 180), seed=st.integers(0, 2**32))
def test_each_row_is_followed_by_its_copy_with_lengths_changed_by_one_factor(degrees: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    windows = rng.integers(-12_000, 12_000, (7, 50, 6)).astype(np.int16)
    labels = np.arange(7, dtype=np.uint8) % 2
    both, both_labels = with_turned(windows, labels, degrees, seed)
    assert np.array_equal(both[::2], windows)
    assert both_labels.tolist() == np.repeat(labels, 2).tolist()
    before, after = (
        np.linalg.norm(part.astype(float).reshape(7, 50, 2, 3), axis=-1).reshape(7, -1)
        for part in (windows, both[1::2])
    )
    scale = after.sum(axis=1) / before.sum(axis=1)
    assert np.all((scale > 1 - SCALED_BY - 0.01) & (scale < 1 + SCALED_BY + 0.01))
    np.testing.assert_allclose(after, before * scale[:, None], atol=3)


def test_random_axes_have_length_1_and_no_preferred_direction() -> None:
    axes = random_axes(np.random.default_rng(1), 20_000)
    np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1)
    np.testing.assert_allclose(axes.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(axes.T), np.eye(3) / 3, atol=0.02)


def test_training_rows_with_turned_copies_are_twice_as_many() -> None:
    (recording,) = split_recordings(synthetic_samples(3000, 8))
    session = Session("made", recording, find_shots(recording), 0)
    plain, turned = (
        build_training_rows({"rich"}, row_rule([session], options), session)
        for options in (StreamOptions(), StreamOptions(turned_deg=30))
    )
    assert np.array_equal(turned.inputs["rich"][::2], plain.inputs["rich"])
    assert not np.array_equal(turned.inputs["rich"][1::2], plain.inputs["rich"])
    assert turned.positives == 2 * plain.positives


@pytest.mark.parametrize("degrees", [-1, 181, float("nan")])
def test_angles_beyond_half_a_turn_are_refused(degrees: float) -> None:
    with pytest.raises(InputError, match="expected 0 to 180"):
        StreamOptions(turned_deg=degrees)
