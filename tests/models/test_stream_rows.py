from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.dataset import read_dataset, write_dataset
from models.sessions import Session
from models.stream_rows import (
    SampleLabel,
    StreamOptions,
    Thinning,
    build_stream_dataset,
    choose_thinning,
    label_samples,
)
from stinger.errors import InputError
from stinger.mlmd import WINDOW_SAMPLES
from stinger.recording import split_recordings
from stinger.sample import make_samples
from stinger.shots import find_shots
from tests.helpers.retraining import session_of
from tests.helpers.synthetic import synthetic_samples

WHOLE = Thinning(1, 1)


def label_by_hand(session: Session, options: StreamOptions, sample: int) -> SampleLabel:
    """Return the label of a sample by looking at each sample of its window and at each trigger edge."""
    time_ms = session.recording.time_ms
    first = sample - WINDOW_SAMPLES + 1
    if first < 0 or any(time_ms[i + 1] - time_ms[i] > 50 for i in range(first, sample)):
        return SampleLabel.LEFT_OUT
    left_out = False
    for edge_ms, accepted in zip(session.shots.time_ms, session.shots.accepted, strict=True):
        after_ms = edge_ms - time_ms[sample]
        if accepted and options.lead_ms <= after_ms <= options.horizon_ms:
            return SampleLabel.POSITIVE
        if accepted and 0 <= after_ms <= options.lead_ms:
            left_out = True
        if not accepted and -options.rejected_clear_ms <= after_ms <= options.horizon_ms:
            left_out = True
    return SampleLabel.LEFT_OUT if left_out else SampleLabel.NEGATIVE


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """Return a session of noise with trigger pulls anywhere, close together as well, and with gaps."""
    count = draw(st.integers(61, 500))
    steps = np.full(count, 10)
    steps[draw(st.lists(st.integers(1, count - 1), max_size=3))] = draw(st.sampled_from([50, 60, 5000]))
    trigger = np.zeros(count, dtype=np.uint8)
    for pull in draw(st.lists(st.integers(0, count - 1), max_size=8)):
        trigger[pull : pull + draw(st.integers(1, 12))] = 1
    channels = np.random.default_rng(draw(st.integers(0, 9))).integers(-3000, 3000, (count, 6))
    (recording,) = split_recordings(make_samples(np.cumsum(steps), channels, trigger))
    assume(recording.rate.problem is None)  # a short one with several gaps may seem to have another rate
    gap_ms = draw(st.sampled_from([0, 200, 1000]))
    return Session("noise", recording, find_shots(recording, min_shot_gap_ms=gap_ms), draw(st.integers(0, 5)))


@settings(max_examples=60, deadline=None)
@given(
    session=sessions(),
    lead_ms=st.sampled_from([0, 100, 155]),
    beyond_ms=st.sampled_from([0, 200, 1000]),
    clear_ms=st.sampled_from([0, 300]),
)
def test_each_sample_has_the_label_that_its_window_and_the_edges_around_it_give(
    session: Session, lead_ms: float, beyond_ms: float, clear_ms: float
) -> None:
    options = StreamOptions(lead_ms=lead_ms, horizon_ms=lead_ms + beyond_ms, rejected_clear_ms=clear_ms)
    by_hand = [label_by_hand(session, options, sample) for sample in range(len(session.recording))]
    assert label_samples(session, WINDOW_SAMPLES, options).tolist() == by_hand


@settings(max_examples=40, deadline=None)
@given(session=sessions(), every=st.integers(1, 12), max_rows=st.integers(2, 400))
def test_rows_are_windows_of_the_recording_with_their_labels_and_at_most_as_many_as_allowed(
    session: Session, every: int, max_rows: int
) -> None:
    options = StreamOptions(every=every, max_rows=max_rows)
    by_hand = [label_by_hand(session, options, sample) for sample in range(len(session.recording))]
    dataset = build_stream_dataset([session], options, about={})
    step = choose_thinning([session], WINDOW_SAMPLES, options)
    samples = [
        i
        for i, label in enumerate(by_hand)
        if (label == SampleLabel.POSITIVE and i % step.positives == 0)
        or (label == SampleLabel.NEGATIVE and i % step.negatives == 0)
    ]
    assert dataset.labels.tolist() == [int(by_hand[i]) for i in samples]
    axes = session.recording.axes
    assert all(np.array_equal(w, axes[i - 49 : i + 1]) for w, i in zip(dataset.windows, samples, strict=True))
    assert dataset.rows.window_end_ms.tolist() == session.recording.time_ms[samples].tolist()
    # A step through the samples may meet one row more of each run of samples with the same label.
    runs = 1 + np.count_nonzero(np.diff(by_hand))
    assert len(dataset) <= max_rows + runs
    assert step.negatives == every * step.positives


def test_event_of_a_positive_row_is_its_shot() -> None:
    session = replace(session_of(synthetic_samples(3000, 8)), first_shot_num=7)
    dataset = build_stream_dataset([session], StreamOptions(), about={}, thinning=WHOLE)
    accepted = session.shots.time_ms[session.shots.accepted]
    positive = dataset.labels == 1
    lead = dataset.rows.event_timestamp_ms[positive] - dataset.rows.window_end_ms[positive]
    assert set(dataset.rows.event_timestamp_ms[positive].tolist()) == set(accepted.tolist())
    assert (lead.min(), lead.max()) == (100, 300)
    assert sorted(set(dataset.rows.shot_num[positive].tolist())) == list(range(7, 7 + accepted.size))
    assert np.array_equal(dataset.rows.event_timestamp_ms[~positive], dataset.rows.window_end_ms[~positive])


def test_recoil_is_among_the_negatives() -> None:
    session = session_of(synthetic_samples(3000, 8))
    labels = label_samples(session, WINDOW_SAMPLES, StreamOptions())
    shots = session.shots.index[session.shots.accepted]
    assert set(labels[shots + 1].tolist()) == {SampleLabel.NEGATIVE}


def test_longer_recordings_are_thinned_more() -> None:
    options = StreamOptions(max_rows=1000)
    short, long = (session_of(synthetic_samples(count, count // 600)) for count in (3000, 30_000))
    assert choose_thinning([short], WINDOW_SAMPLES, options) == Thinning(1, 5)
    thinning = choose_thinning([short, long], WINDOW_SAMPLES, options)
    assert thinning == Thinning(8, 40)
    shares = [
        build_stream_dataset([long], options, about={}, thinning=t).labels.mean() for t in (Thinning(1, 5), thinning)
    ]
    assert shares[1] == pytest.approx(shares[0], rel=0.1)


def test_training_set_can_be_written_and_read_again(tmp_path: Path) -> None:
    dataset = build_stream_dataset([session_of(synthetic_samples(3000, 8))], StreamOptions(), about={})
    write_dataset(tmp_path, dataset)
    again = read_dataset(tmp_path)
    assert np.array_equal(again.windows, dataset.windows)
    assert np.array_equal(again.labels, dataset.labels)
    assert again.meta["labels"] == "stream"


def test_recordings_too_short_for_a_window_are_named_or_refused() -> None:
    whole, brief = (
        session_of(synthetic_samples(3000, 8), "whole"),
        session_of(synthetic_samples(3000, 8)[:40], "brief"),
    )
    assert build_stream_dataset([brief, whole], StreamOptions(), about={}).meta["sessions_too_short"] == ["brief"]
    with pytest.raises(InputError, match="no recording is long enough for a window"):
        build_stream_dataset([brief], StreamOptions(), about={})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lead_ms": 400}, "a shot 400 to 300 ms after a sample makes it positive: expected"),
        ({"lead_ms": -1}, "a shot -1 to 300 ms after"),
        ({"every": 0}, "every 0-th negative"),
        ({"hard_rounds": -1}, "-1 rounds of hard negatives"),
        ({"max_rows": 1}, "at most 1 rows"),
    ],
)
def test_impossible_options_are_refused(changed: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        StreamOptions(**changed)  # type: ignore[arg-type]  # the values are whole numbers where they must be
