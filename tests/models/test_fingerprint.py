"""A model's fingerprint of its training data recognises recordings by their content."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fingerprint import HASHES_MAX, Fingerprint, fingerprint_of, fingerprint_of_windows, parse_fingerprint
from models.overlaps import Readings
from models.synthetic import synthesise
from stinger.sample import axes
from tests.helpers.synthetic import synthetic_samples


def readings(count: int = 30_000, *, seed: int = 1) -> Readings:
    return axes(synthetic_samples(count, max(1, count // 300), seed=seed))


def stored(fingerprint: Fingerprint) -> Fingerprint:
    """Return ``fingerprint`` written to JSON and read again."""
    parsed = parse_fingerprint(json.loads(json.dumps(fingerprint.to_json())))
    assert parsed is not None
    return parsed


def test_data_is_recognised_as_a_whole_and_other_data_is_not() -> None:
    fingerprint = stored(fingerprint_of([readings(seed=1), readings(seed=2)]))
    assert fingerprint.seen(readings(seed=1)).mean() > 0.98
    assert not fingerprint.seen(readings(seed=3)).any()


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_part_of_two_stretches_is_recognised(data: st.DataObject) -> None:
    whole = readings()
    fingerprint = fingerprint_of([whole])
    start = data.draw(st.integers(0, len(whole) - 2 * fingerprint.stretch))
    assert fingerprint.seen(whole[start : start + 2 * fingerprint.stretch]).any()


@pytest.mark.parametrize("every", [2, 3])
def test_thinned_recording_is_recognised(every: int) -> None:
    assert fingerprint_of([readings()]).seen(readings()[::every]).mean() > 0.8


def test_recording_with_lost_samples_is_recognised() -> None:
    whole = readings()
    kept = np.random.default_rng(1).random(len(whole)) > 0.1
    assert fingerprint_of([whole]).seen(whole[kept]).mean() > 0.9


def test_only_the_seen_part_of_a_longer_recording_is_marked() -> None:
    longer = np.concatenate((readings(), readings(seed=2)))
    seen = fingerprint_of([readings()]).seen(longer)
    assert seen[:29_000].mean() > 0.98
    assert not seen[31_000:].any()


def test_ten_hours_take_a_few_kilobytes_and_two_minutes_of_them_are_recognised() -> None:
    parts = [readings(360_000, seed=seed) for seed in range(10)]
    fingerprint = stored(fingerprint_of(parts))
    assert len(json.dumps(fingerprint.to_json())) < 7000
    for part in parts:
        assert fingerprint.seen(part[100_000:112_000]).any()


@pytest.mark.parametrize("count", [1, 799, 801, 2000])
def test_size_is_bounded_however_many_recordings_there_are(count: int) -> None:
    assert fingerprint_of([readings(600, seed=1)] * count).hashes.size <= HASHES_MAX
    windows = np.stack([readings(50, seed=seed % 40) for seed in range(count)])
    assert stored(fingerprint_of_windows(windows, 30)).hashes.size <= HASHES_MAX


def test_recording_at_rest_is_not_recognised_as_another_at_rest() -> None:
    rest = np.zeros((5000, 6), dtype=np.int16)
    noisy = np.random.default_rng(1).normal(scale=8, size=(5000, 6)).astype(np.int16)
    assert not fingerprint_of([rest, noisy]).hashes.size
    assert not fingerprint_of([rest]).seen(rest).any()


def test_saturated_readings_are_not_kept() -> None:
    saturated = readings(2000).copy()
    saturated[::7] = 32767
    assert not fingerprint_of([saturated]).seen(np.full((500, 6), 32767, dtype=np.int16)).any()


def test_synthetic_sessions_are_not_mistaken_for_each_other() -> None:
    sessions = [axes(synthesise(minutes=3, seed=seed)) for seed in range(8)]
    for number, session in enumerate(sessions):
        fingerprint = fingerprint_of(sessions[:number] + sessions[number + 1 :])
        assert not fingerprint.seen(session).any()


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"schema": 2, "stretch": 500, "hashes": ""},
        {"schema": 1, "stretch": 0, "hashes": ""},
        {"schema": 1, "stretch": True, "hashes": ""},
        {"schema": 1, "stretch": 500, "hashes": 5},
        {"schema": 1, "stretch": 500, "hashes": "AAAA"},
        {"schema": 1, "stretch": 500, "hashes": "not base64"},
        {"schema": 1, "stretch": 500, "hashes": "\ud800"},
        {"schema": 1, "stretch": 500, "hashes": "A" * 8 * 801},
    ],
)
def test_anything_else_in_a_model_file_is_no_fingerprint(value: Any) -> None:
    assert parse_fingerprint(value) is None


def test_empty_data_has_an_empty_fingerprint() -> None:
    assert not stored(fingerprint_of([])).seen(readings(1000)).any()
